"""Losses against the golden values that the original program gave for the same fields."""

from __future__ import annotations

import pytest
import torch
from mien.training.losses import LOSSES, mean_inside, structural, widened


def fields(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(target, prediction) of the golden values, (2, 3, S, S)."""
    n, c, h, w = torch.meshgrid(
        *(torch.arange(float(count)) for count in (2, 3, size, size)), indexing="ij"
    )

    def field(k: int) -> torch.Tensor:
        wave = torch.sin(0.07 * (k + 1) * h + 0.11 * w + 0.9 * c + 0.5 * n + 0.3 * k)
        return 0.5 + 0.4 * wave * torch.cos(0.05 * h * (1 + 0.1 * k))

    return field(0), field(1)


@pytest.mark.parametrize(
    ("name", "size", "wanted"),
    [
        ("mae", 64, (0.2360837, 0.2358096)),
        ("mae", 256, (0.2247468, 0.2247429)),
        ("mse", 64, (0.0883235, 0.0879758)),
        ("mse", 256, (0.0781269, 0.0781296)),
        ("ssim", 64, (0.9112146, 0.9119484)),
        ("ssim", 256, (0.7884014, 0.7885561)),
    ],
)
def test_a_loss_has_the_original_programs_value(
    name: str, size: int, wanted: tuple[float, float]
) -> None:
    target, prediction = fields(size)
    seen = LOSSES[name](prediction, target).mean((1, 2, 3))
    # The sums run in another order: 5e-6 was seen for ssim, where small variances cancel.
    torch.testing.assert_close(seen, torch.tensor(wanted), rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_equal_pictures_cost_nothing_and_the_gradient_is_finite(name: str) -> None:
    wanted = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    made = wanted.clone().requires_grad_()
    loss = LOSSES[name](made, wanted)
    assert loss.shape == wanted.shape
    assert float(loss.detach().abs().max()) < 1e-5
    torch.autograd.backward(loss.sum())
    assert made.grad is not None
    assert bool(made.grad.isfinite().all())


def test_flat_pictures_have_a_finite_structural_gradient() -> None:
    made = torch.zeros(1, 3, 16, 16, requires_grad=True)
    torch.autograd.backward(structural(made, torch.ones(1, 3, 16, 16)).sum())
    assert made.grad is not None
    assert bool(made.grad.isfinite().all())


def test_losses_are_float32_whatever_the_net_runs_in() -> None:
    made = torch.rand(1, 3, 16, 16).bfloat16()
    for loss in LOSSES.values():
        assert loss(made, made).dtype == torch.float32


def test_only_what_the_mask_shows_is_counted() -> None:
    values = torch.ones(1, 3, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    values[..., 2:] = 100
    assert float(mean_inside(values, mask)) == 0.5
    assert float(mean_inside(values, None)) == 50.5


def test_a_widened_mask_reaches_further_on_all_sides():
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., 8:12, 8:12] = 0.5
    wide = widened(mask, 0.1)
    assert (wide[..., 6:14, 6:14] == 0.5).all()
    assert wide.sum() == 0.5 * 8 * 8
    assert widened(mask, 0.0) is mask
