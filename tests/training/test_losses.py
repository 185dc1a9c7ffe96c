"""Losses against the golden values that the original program gave for the same fields."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from mien.training.losses.similarity import edges
from mien.training.losses.table import (
    LOSSES,
    SMALLEST,
    WHOLE,
    focal_frequency,
    gradients,
    largest,
    widened,
)
from torch import Tensor

Loss = Callable[..., Tensor]

GOLDEN = {  # means of both pictures of 64, then of 256 pixels
    "mae": ((0.2360837, 0.2358096), (0.2247468, 0.2247429)),
    "mse": ((0.0883235, 0.0879758), (0.0781269, 0.0781296)),
    "logcosh": ((0.0425552, 0.0423961), (0.0377609, 0.0377620)),
    "smooth": ((0.2322880, 0.2320160), (0.2209397, 0.2209358)),
    "ssim": ((0.9112146, 0.9119484), (0.7884014, 0.7885561)),
    "ms_ssim": ((0.8446882, 0.8462178), (0.8703852, 0.8704729)),
    "gmsd": ((0.3541060, 0.3554756), (0.3189424, 0.3189119)),
    "laploss": ((0.0119484, 0.0119495), (0.0104927, 0.0104923)),
    "ffl": ((0.0699293, 0.0694143), (0.0551345, 0.0551003)),
    "flip": ((0.7354878, 0.7347503), (0.7343873, 0.7344164)),
    "l_inf_norm": ((0.6640860, 0.6629822), (0.7161307, 0.7161603)),
    "pixel_gradient_diff": ((5.8778954, 5.9271698), (5.2290249, 5.2286472)),
}
PARITY = {"gmsd": edges, "l_inf_norm": largest, "pixel_gradient_diff": gradients}


def fields(size: int) -> tuple[Tensor, Tensor]:
    """(target, prediction) of the golden values, (2, 3, S, S)."""
    n, c, h, w = torch.meshgrid(
        *(torch.arange(float(count)) for count in (2, 3, size, size)), indexing="ij"
    )

    def field(k: int) -> Tensor:
        wave = torch.sin(0.07 * (k + 1) * h + 0.11 * w + 0.9 * c + 0.5 * n + 0.3 * k)
        return 0.5 + 0.4 * wave * torch.cos(0.05 * h * (1 + 0.1 * k))

    return field(0), field(1)


def means(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1) if values.dim() > 1 else values


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("name", GOLDEN)
def test_a_loss_has_the_original_programs_value(name: str, size: int) -> None:
    loss = functools.partial(PARITY[name], parity=True) if name in PARITY else LOSSES[name]
    target, prediction = fields(size)
    wanted = torch.tensor(GOLDEN[name][size > 64])
    # The sums run in another order: 2e-6 was seen for ssim, where small variances cancel.
    torch.testing.assert_close(means(loss(prediction, target)), wanted, rtol=2e-6, atol=2.5e-6)


def test_every_loss_has_a_golden_value() -> None:
    assert GOLDEN.keys() == LOSSES.keys()
    assert SMALLEST.keys() <= LOSSES.keys()


def test_a_loss_is_a_map_or_one_number_for_each_picture() -> None:
    wanted, noise = noisy()
    for name, loss in LOSSES.items():
        seen = loss(wanted + noise, wanted)
        assert seen.shape in ({(2,)} if name in WHOLE else {(2, 1, 48, 56), (2, 3, 48, 56)})


def noisy(size: tuple[int, int] = (48, 56)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    wanted = torch.rand(2, 3, *size, generator=generator) * 0.6 + 0.2
    return wanted, torch.randn(2, 3, *size, generator=generator) * 0.1


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_nothing_for_equal_pictures_grows_with_the_error_and_pulls_towards_them(
    name: str,
) -> None:
    loss = LOSSES[name]
    wanted, noise = noisy()
    assert float(loss(wanted, wanted).abs().max()) < 1e-5
    near, far = (means(loss(wanted + strength * noise, wanted)) for strength in (0.3, 1.0))
    assert near.shape == (2,)
    assert bool((far > near).all())
    made = (wanted + noise).requires_grad_()
    torch.autograd.backward(loss(made, wanted).sum())
    assert made.grad is not None
    assert bool(made.grad.isfinite().all())
    better = made.detach() - 1e-3 * made.grad / made.grad.abs().max()
    assert float(loss(better, wanted).sum()) < float(loss(made.detach(), wanted).sum())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("made", [0.0, 1.0])
def test_the_gradient_is_finite_where_pictures_are_flat_or_equal(name: str, made: float) -> None:
    picture = torch.full((1, 3, 48, 48), made, requires_grad=True)
    torch.autograd.backward(LOSSES[name](picture, torch.ones(1, 3, 48, 48)).sum())
    assert picture.grad is not None
    assert bool(picture.grad.isfinite().all())


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_whatever_the_net_runs_in(name: str) -> None:
    wanted, noise = noisy()
    made = (wanted + noise).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = LOSSES[name](made, wanted)
    assert seen.dtype == torch.float32
    torch.testing.assert_close(seen, LOSSES[name](made.float(), wanted))


@pytest.mark.parametrize("name", SMALLEST)
def test_a_loss_works_from_its_smallest_size_on_and_not_below(name: str) -> None:
    side = SMALLEST[name]
    wanted, noise = noisy((side, side))
    assert bool(LOSSES[name](wanted + noise, wanted).isfinite().all())
    with pytest.raises((ValueError, RuntimeError)):
        LOSSES[name](noise[..., 1:, 1:], wanted[..., 1:, 1:])


@pytest.mark.parametrize(("name", "axes"), [("pixel_gradient_diff", (2, 3)), ("gmsd", (2, 3))])
def test_losses_of_edges_look_along_rows_and_columns_of_every_colour(
    name: str, axes: tuple[int, int]
) -> None:
    flat = torch.full((1, 3, 32, 32), 0.5)
    for colour in range(3):
        for axis in axes:
            ramp = flat.clone()
            line = torch.linspace(0, 1, 32).view(-1, 1) if axis == 2 else torch.linspace(0, 1, 32)
            ramp[:, colour] = line.expand(32, 32)
            assert float(LOSSES[name](ramp, flat).mean()) > 1e-3
    columns = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    assert float(gradients(columns, flat, parity=True).mean()) < 1e-6


def test_the_largest_error_of_each_colour_counts_alone() -> None:
    made = torch.zeros(1, 3, 4, 4)
    made[0, 0, 1, 2], made[0, 1, 3, 3], made[0, 1, 0, 0] = 0.9, 0.3, 0.2
    assert largest(made, torch.zeros_like(made)).item() == pytest.approx(0.4)


def test_a_wrong_frequency_weighs_by_how_wrong_it_is() -> None:
    wave = torch.cos(2 * torch.pi * torch.arange(16.0) / 16).expand(1, 1, 16, 16)
    flat = torch.zeros(1, 1, 16, 16)
    one, two = (focal_frequency(strength * wave, flat) for strength in (0.5, 1.0))
    torch.testing.assert_close(two, 4 * one)  # the weight is relative to the worst frequency
    torch.testing.assert_close(one, (0.25 * wave.square()).mean().view(1))  # Parseval


def test_a_widened_mask_reaches_further_on_all_sides() -> None:
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 8:12, 8:12] = 0.5
    wide = widened(mask, 0.1)
    assert bool((wide[..., 6:14, 6:14] == 0.5).all())
    assert wide.sum() == 0.5 * 8 * 8
    assert widened(mask, 0.0) is mask
