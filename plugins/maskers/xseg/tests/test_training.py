"""XSeg learns masks, on pictures varied together with them; the masker takes the result."""

from __future__ import annotations

from pathlib import Path

import mien_mask_xseg
import numpy as np
import pytest
import torch
from mien.errors import ConfigError, InputError, WeightsError
from mien.testing import FakeContext
from mien.training import checkpoint
from mien.training.base import Side, TrainBatch
from mien.types import FaceType
from mien_mask_xseg import LearnOptions, Options
from mien_mask_xseg.stage import XSegMasker
from mien_mask_xseg.trainer import XSegTrainer
from mien_mask_xseg.variations import Variations

SMALL = LearnOptions(size=64, base=4, learning_rate=1e-3)


def discs(count: int = 6, size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright discs on dark noise, and where they are."""
    generator = torch.Generator().manual_seed(4)
    place = torch.arange(size).float()
    x, y, r = (torch.rand(count, 1, 1, generator=generator) for _ in range(3))
    away = (place[None, None] - 20 - 24 * x) ** 2 + (place[None, :, None] - 20 - 24 * y) ** 2
    masks = (away < (10 + 6 * r) ** 2).float()[:, None]
    noise = 0.3 * torch.rand(count, 3, size, size, generator=generator)
    return noise + 0.6 * masks, masks


def batch(count: int = 6) -> TrainBatch:
    images, masks = discs(2 * count)
    halves = (slice(0, count), slice(count, None))
    source, target = (
        Side(warped=images[part], face=images[part], mask=masks[part], focus=masks[part])
        for part in halves
    )
    return TrainBatch(source=source, target=target)


def test_a_mask_goes_with_its_picture() -> None:
    images, masks = discs()
    for seed in range(10):
        variations = Variations(torch.Generator().manual_seed(seed))
        moved, where = variations._move(images, masks, 40.0, 0.2, 0.1, 0.03)
        sure = ((where - 0.5).abs() > 0.45) & (moved.mean(1, keepdim=True) > 0)
        seen = (moved.mean(1, keepdim=True) > 0.5).float()
        inner = sure & (torch.nn.functional.max_pool2d(where, 5, 1, 2) - where < 0.1)
        assert (seen == where.round())[inner].float().mean() > 0.97


def test_variations_depend_on_their_seed_alone_and_stay_pictures() -> None:
    images, masks = discs()
    first = Variations(torch.Generator().manual_seed(1))(images, masks)
    again = Variations(torch.Generator().manual_seed(1))(images, masks)
    other = Variations(torch.Generator().manual_seed(2))(images, masks)
    assert first[0].equal(again[0])
    assert first[1].equal(again[1])
    assert not first[0].equal(other[0])
    for varied, where in (first, other):
        assert varied.shape == images.shape
        assert varied.isfinite().all()
        assert (varied.min(), varied.max()) >= (0, 0)
        assert varied.max() <= 1
        assert set(where.unique().tolist()) <= {0.0, 1.0}


def test_good_jpeg_is_close_and_bad_jpeg_is_in_blocks() -> None:
    images, _ = discs()
    smooth = torch.nn.functional.avg_pool2d(images, 5, 1, 2)
    variations = Variations(torch.Generator().manual_seed(1))
    variations._between = lambda low, high, count: torch.full((count,), 95.0)  # type: ignore[method-assign]
    assert (variations._compressed(smooth) - smooth).abs().max() < 0.05
    variations._between = lambda low, high, count: torch.full((count,), 10.0)  # type: ignore[method-assign]
    assert (variations._compressed(smooth) - smooth).abs().max() > 0.05


def test_it_learns_and_goes_on_to_the_bit() -> None:
    trainer, twin = (XSegTrainer(SMALL, FakeContext(seed=3)) for _ in range(2))
    losses = [trainer.step(batch())["mask"] for _ in range(30)]
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:5])
    twin.load(trainer.state())
    assert twin.step(batch()) == trainer.step(batch())
    columns = trainer.preview(batch(2))
    assert list(columns) == [
        *("source", "source found", "source with it"),
        *("target", "target found", "target with it"),
    ]
    with pytest.raises(InputError, match="base is 4"):
        XSegTrainer(LearnOptions(size=64, base=8), FakeContext()).load(trainer.state())


def saved(folder: Path, plugin: str = "xseg") -> Path:
    trainer = XSegTrainer(SMALL, FakeContext(seed=3))
    card = checkpoint.ModelCard(
        plugin=plugin, dist_version="0", options={}, face_type="full", size=64
    )
    checkpoint.write_card(folder, card)
    checkpoint.save(folder, trainer.state(), 7)
    return folder


@pytest.mark.slow
def test_the_masker_takes_what_was_trained(tmp_path: Path) -> None:
    from mien.runtime import make_context

    masker = XSegMasker(Options(model=saved(tmp_path / "m")), FakeContext())
    assert (masker.spec.size, masker.spec.face_type) == (64, FaceType.FULL)
    context = make_context(device="cpu", threads=1, cache=tmp_path / "cache")
    masker = XSegMasker(Options(model=tmp_path / "m", floor=0), context)
    masker.open()
    assert masker._session is not None
    images, _ = discs(2)
    (found,) = masker._session.run(None, {"image": images.numpy()})
    trainer = XSegTrainer(SMALL, FakeContext(seed=3))
    wanted = torch.sigmoid(trainer._net(images)).detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_what_is_no_mask_model_is_refused(tmp_path: Path) -> None:
    other = saved(tmp_path / "other", plugin="saehd")
    with pytest.raises(WeightsError, match="is a model of 'saehd'"):
        XSegMasker(Options(model=other), FakeContext())
    with pytest.raises(ConfigError, match="makes masks, not faces"):
        mien_mask_xseg.create_swap(SMALL, FakeContext(), tmp_path)
