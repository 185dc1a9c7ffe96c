"""The roads of a convolution that learns: the same numbers as torch's own, by fewer products."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.nets import convolution
from mien.nets.convolution import Conv2d, _Product, _Winograd, conv2d
from torch import Tensor, nn
from torch.nn import functional as nnf

WIDE = convolution._CHANNELS


def doubles(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 3),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    biased=st.booleans(),
    last=st.booleans(),
)
def test_winograd_is_the_convolution_and_its_gradients(
    count: int, inputs: int, outputs: int, height: int, width: int, biased: bool, last: bool
) -> None:
    x, weight = doubles(count, inputs, height, width), doubles(outputs, inputs, 3, 3)
    bias = doubles(outputs) if biased else None
    if last:
        x = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    same(_Winograd.apply(x, weight, bias), nnf.conv2d(x, weight, bias, 1, 1), x, weight, bias)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 3),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    biased=st.booleans(),
)
def test_the_product_is_the_convolution_and_its_gradients(
    count: int, kernel: int, stride: int, padding: int, height: int, width: int, biased: bool
) -> None:
    x, weight = doubles(count, 3, height, width), doubles(4, 3, kernel, kernel)
    bias = doubles(4) if biased else None
    made = _Product.apply(x, weight, bias, stride, padding)
    same(made, nnf.conv2d(x, weight, bias, stride, padding), x, weight, bias)


def same(made: Tensor, wanted: Tensor, *sources: Tensor | None) -> None:
    learned = [source for source in sources if source is not None]
    torch.testing.assert_close(made, wanted)
    weights = torch.randn_like(wanted)
    for own, torchs in zip(
        torch.autograd.grad(made, learned, weights),
        torch.autograd.grad(wanted, learned, weights),
        strict=True,
    ):
        torch.testing.assert_close(own, torchs)


@pytest.mark.parametrize("bands", [1, 2, 7])
def test_however_few_tiles_are_worked_on_at_once(
    bands: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "_TILES", bands)
    x, weight = doubles(3, 2, 6, 8), doubles(2, 2, 3, 3)
    same(_Winograd.apply(x, weight, None), nnf.conv2d(x, weight, None, 1, 1), x, weight)


@pytest.mark.parametrize(
    ("shape", "filters", "stride", "padding", "road"),
    [
        ((1, WIDE, 16, 16), (WIDE, WIDE, 3, 3), 1, 1, "_WinogradBackward"),
        ((1, WIDE, 4, 4), (WIDE, WIDE, 3, 3), 1, 1, "_ProductBackward"),
        ((1, WIDE, 8, 8), (WIDE, WIDE, 5, 5), 2, 2, "_ProductBackward"),
        ((1, WIDE, 16, 16), (WIDE, WIDE, 5, 5), 1, 2, "ConvolutionBackward0"),
        ((1, 3, 16, 16), (WIDE, 3, 3, 3), 1, 1, "ConvolutionBackward0"),
    ],
)
def test_the_road_follows_from_the_shapes(
    shape: tuple[int, ...], filters: tuple[int, ...], stride: int, padding: int, road: str
) -> None:
    x, weight = torch.rand(shape), torch.rand(filters, requires_grad=True)
    made = conv2d(x, weight, None, stride, padding)
    assert made.grad_fn is not None
    assert made.grad_fn.name().endswith(road)
    torch.testing.assert_close(
        made, nnf.conv2d(x, weight, None, stride, padding), rtol=1e-4, atol=1e-3
    )


def test_only_where_gradients_are_wanted_and_in_float32() -> None:
    layer = Conv2d(WIDE, WIDE, 3, padding=1)
    seen = torch.rand(1, WIDE, 16, 16)
    with torch.no_grad():
        plain = nnf.conv2d(seen, layer.weight, layer.bias, 1, 1)
        assert torch.equal(layer(seen), plain)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(seen).dtype == torch.bfloat16


@pytest.mark.parametrize("side", [4, 16])
def test_what_follows_may_work_in_place(side: int) -> None:
    layer = nn.Sequential(Conv2d(WIDE, WIDE, 3, padding=1), nn.LeakyReLU(0.1, inplace=True))
    seen = torch.rand(1, WIDE, side, side)
    layer(seen).sum().backward()
    own = layer[0].weight.grad
    layer.zero_grad()
    plain = nnf.conv2d(seen, layer[0].weight, layer[0].bias, 1, 1)
    nnf.leaky_relu(plain, 0.1).sum().backward()
    torch.testing.assert_close(own, layer[0].weight.grad, rtol=1e-4, atol=1e-3)
