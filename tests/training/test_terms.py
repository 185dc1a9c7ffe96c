"""Loss terms against DeepFaceLab's own numbers, and against what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.training.losses import terms  # noqa: E402

GOLDEN = "golden/dfl/losses.npz"


def pictures(array: Any) -> Any:
    """(N, H, W, C) as (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def back(tensor: Any) -> Any:
    return tensor.permute(0, 2, 3, 1).numpy()


@pytest.fixture
def golden(shared: Callable[[str], Path]) -> Any:
    with np.load(shared(GOLDEN)) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("number", range(4))
def test_dssim_with_even_and_odd_windows(golden: Any, number: int) -> None:
    window = json.loads(str(golden["config"]))["dssim"][number]["filter_size"]
    made, wanted = (pictures(golden[f"dssim{number}_{side}"]) for side in "ab")
    np.testing.assert_allclose(
        terms.dssim(made, wanted, window), golden[f"dssim{number}"], atol=2e-6
    )


@pytest.mark.parametrize("number", range(4))
def test_the_blur_and_its_black_border(golden: Any, number: int) -> None:
    sigma = json.loads(str(golden["config"]))["gaussian_blur"][number]["sigma"]
    blurred = terms.gaussian(pictures(golden["blur_in"]), sigma)
    np.testing.assert_allclose(back(blurred), golden[f"blur{number}"], atol=2e-6)


def test_the_weight_of_a_mask(golden: Any) -> None:
    weight = terms.mask_weight(pictures(golden["mask"]), 2)
    np.testing.assert_allclose(back(weight), golden["mask_weight_sigma2"], atol=2e-6)


@pytest.mark.parametrize("number", range(2))
def test_what_lies_outside_the_mask_is_blurred(golden: Any, number: int) -> None:
    sigma = json.loads(str(golden["config"]))["blur_out_mask"][number]
    given = terms.blur_outside(pictures(golden["bom_target"]), pictures(golden["mask"]), sigma)
    np.testing.assert_allclose(back(given), golden[f"bom_out{number}"], atol=2e-6)


def test_style(golden: Any) -> None:
    made, wanted = pictures(golden["style_a"]), pictures(golden["style_b"])
    np.testing.assert_allclose(
        terms.style_distance(made, wanted, 0, 1), golden["style_r0_w1"], atol=1e-5
    )
    np.testing.assert_allclose(
        terms.style_distance(made, wanted, 4, 100), golden["style_r4_w100"], atol=1e-5, rtol=1e-5
    )


def test_total_variation_on_pictures_and_as_the_original_on_a_gpu(golden: Any) -> None:
    made = pictures(golden["style_a"])
    np.testing.assert_allclose(terms.total_variation(made), golden["tv"], rtol=1e-6)
    np.testing.assert_allclose(
        terms.total_variation(made, parity=True), golden["tv_as_nchw"], rtol=1e-6
    )


def test_verdicts_are_cross_entropies() -> None:
    logits = torch.tensor([[[[0.0, 4.0]]], [[[-90.0, 90.0]]]])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits
    for real in (True, False):
        ours = terms.verdict(logits, real=real)
        truth = torch.full_like(logits, float(real))
        theirs = wanted(logits, truth, reduction="none").flatten(1).mean(1)
        torch.testing.assert_close(ours, theirs)


PAIRWISE = [
    lambda a, b: terms.dssim(a, b, 11).mean(1),
    lambda a, b: terms.style_distance(a, b, 2, 1.0),
]


@pytest.mark.parametrize("term", PAIRWISE)
def test_terms_are_zero_for_the_same_picture_grow_with_the_error_and_pull_towards_it(
    term: Any,
) -> None:
    rng = torch.Generator().manual_seed(3)
    wanted = torch.rand(2, 3, 40, 40, generator=rng)
    noise = torch.randn(2, 3, 40, 40, generator=rng) * 0.1
    assert term(wanted, wanted).abs().max() < 1e-5
    near, far = term(wanted + 0.3 * noise, wanted), term(wanted + noise, wanted)
    assert near.shape == (2,)
    assert (far > near).all()
    made = (wanted + noise).requires_grad_(True)
    term(made, wanted).sum().backward()
    assert torch.isfinite(made.grad).all()
    better = made.detach() - 1e-3 * made.grad / made.grad.abs().max()
    assert (term(better, wanted).sum() < term(made, wanted).sum()).item()


def test_terms_are_float32_under_autocast() -> None:
    made, wanted = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for term in PAIRWISE:
            value = term(made.bfloat16(), wanted)
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, term(made.bfloat16().float(), wanted))


def test_a_window_larger_than_the_picture_is_refused() -> None:
    small = torch.rand(1, 3, 8, 8)
    with pytest.raises(ValueError, match="a window of 11 pixels does not fit into a picture of 8"):
        terms.dssim(small, small, 11)
