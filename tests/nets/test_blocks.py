"""Layers by hand: sizes, alignment, order of channels, and first weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mien.nets.blocks import ConvTranspose, Cosine, Down, Res, Up, conv, depth_to_space, pixel_norm
from mien.nets.initial import build, initialise
from torch import nn
from torch.nn import functional as nnf


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_depth_to_space_counts_row_column_channel(layout):
    x = torch.arange(2 * 12 * 3 * 5).float().reshape(2, 12, 3, 5).contiguous(memory_format=layout)
    out = depth_to_space(x)
    assert out.shape == (2, 3, 6, 10)
    assert out.is_contiguous(memory_format=layout)
    for dy in range(2):
        for dx in range(2):
            first = (dy * 2 + dx) * 3
            torch.testing.assert_close(out[:, :, dy::2, dx::2], x[:, first : first + 3])


@pytest.mark.parametrize(
    ("kernel", "stride", "side", "wanted"),
    [(1, 1, 9, 9), (2, 1, 9, 10), (3, 2, 9, 5), (4, 2, 8, 5), (4, 1, 8, 9), (5, 2, 9, 5)],
)
def test_padding_is_half_the_kernel_on_all_sides(kernel, stride, side, wanted):
    layer = conv(1, 1, kernel, stride)
    x = torch.rand(1, 1, side, side)
    out = layer(x)
    half = kernel // 2
    padded = nnf.conv2d(nnf.pad(x, (half,) * 4), layer.weight, layer.bias, stride)
    assert out.shape[2:] == (wanted, wanted)
    torch.testing.assert_close(out, padded)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_transposed_convolution_begins_where_tensorflow_does(stride):
    layer = ConvTranspose(1, 1, stride)
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 1] = 1
    with torch.no_grad():
        layer.bias.zero_()
        out = layer(x)[0, 0]
    assert out.shape == (4 * stride, 4 * stride)
    # At stride 2 the kernel of pixel i begins at 2 i, at stride 1 it lies around it.
    first = 2 if stride == 2 else 0
    torch.testing.assert_close(out[first : first + 3, first : first + 3], layer.weight[0, 0])
    assert out.abs().sum() == pytest.approx(float(layer.weight.detach().abs().sum()), rel=1e-6)


def test_pixel_norm_gives_every_row_a_mean_square_of_one():
    x = torch.randn(3, 40) * torch.tensor([[1.0], [100.0], [0.01]])
    torch.testing.assert_close(
        pixel_norm(x).square().mean(1),
        torch.tensor([1.0, 1.0, 0.01**2 / (0.01**2 + 1e-6)]),
        rtol=0.4,
        atol=0,
    )
    half = (torch.full((1, 8), 300.0)).half()  # its square is beyond float16
    assert pixel_norm(half).dtype == torch.float16
    torch.testing.assert_close(pixel_norm(half), torch.ones(1, 8).half())


def test_activations_of_the_blocks():
    x = torch.linspace(-2, 2, 9).reshape(1, 1, 3, 3)
    torch.testing.assert_close(Cosine()(x), x * x.cos())
    slopes = {type(block): block.act.negative_slope for block in (Down(1, 1), Up(1, 1), Res(1))}
    assert slopes == {Down: 0.1, Up: 0.1, Res: 0.2}
    assert isinstance(Up(1, 1, cosine=True).act, Cosine)


def test_a_residual_block_adds_before_its_second_activation():
    block = Res(2)
    with torch.no_grad():
        for layer in (block.conv1, block.conv2):
            layer.weight.zero_()
            layer.bias.zero_()
    x = torch.randn(1, 2, 4, 4)
    torch.testing.assert_close(block(x.clone()), nnf.leaky_relu(x, 0.2))


@pytest.mark.parametrize("make", [lambda: Up(3, 4), lambda: nn.Linear(30, 7)])
def test_first_weights_are_glorot_uniform_and_repeat(make):
    one, other = (build(make, torch.Generator().manual_seed(5)) for _ in range(2))
    for (name, value), again in zip(
        one.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(value, again)
        if name.endswith("bias"):
            assert not value.any()
            continue
        spread = math.prod(value.shape[2:])
        bound = math.sqrt(6 / ((value.shape[0] + value.shape[1]) * spread))
        assert float(value.abs().max()) <= bound
        assert float(value.std()) == pytest.approx(bound / math.sqrt(3), rel=0.2)


def test_first_weights_leave_the_global_generator_alone():
    torch.manual_seed(1)
    wanted = torch.rand(1)
    torch.manual_seed(1)
    build(lambda: Up(1, 1), torch.Generator().manual_seed(0))
    assert torch.equal(torch.rand(1), wanted)


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.tau = (
            nn.Parameter(torch.full((n,), 7.0)) for n in (2, 2, 1, 2)
        )


def test_norms_begin_as_if_they_were_not_there():
    norm = Norm()
    initialise(norm, torch.Generator())
    values = {name: value.tolist() for name, value in norm.named_parameters()}
    eps = float(np.float32(1e-6))
    assert values == {"weight": [1, 1], "bias": [0, 0], "eps": [eps], "tau": [0, 0]}


def test_a_net_with_buffers_is_not_built_empty():
    with pytest.raises(TypeError, match="BatchNorm2d has buffers"):
        build(lambda: nn.BatchNorm2d(3), None)
