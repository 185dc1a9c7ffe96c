"""The conformance kit for what comes after the model: enhancers, colour transfers, blends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..arrays import Image
from ..stages import BlendPair, ColorPair
from ..types import replace
from .conformance import ITEMS, StageConformance
from .fakes import picture


class EnhancerConformance(StageConformance):
    """For `mien_enhancers`."""

    kind = "enhancer"

    def make_items(self, stage: Any) -> list[Image]:
        """Swaps of two sizes, one of a single colour."""
        made = [picture(64, 64, seed=n).astype(np.float32) / 255 for n in range(ITEMS - 2)]
        flat = np.full((64, 64, 3), 0.4, dtype=np.float32)
        return [*made, flat, picture(96, 96, seed=9).astype(np.float32) / 255]

    def arrays(self, result: Any, item: Image) -> list[np.ndarray[Any, Any]]:
        """A float32 square in 0..1, not smaller than the swap."""
        side = result.shape[0]
        assert result.shape == (side, side, 3)
        assert side >= item.shape[0]
        assert result.dtype == np.float32
        assert result.min() >= 0
        assert result.max() <= 1
        return [result]


class ColorTransferConformance(StageConformance):
    """For `mien_color_transfers`."""

    kind = "color"

    def make_items(self, stage: Any) -> list[ColorPair]:
        """Pairs with a whole, a partial and an empty area, and a swap of one colour."""
        pairs = []
        for number in range(ITEMS):
            swap = picture(48, 48, seed=number).astype(np.float32) / 255
            plate = picture(48, 48, seed=100 + number).astype(np.float32) / 255
            area = np.zeros((48, 48, 1), dtype=np.float32)
            area[8 : 8 + 10 * number, 6:40] = 1.0
            if number == ITEMS - 1:
                swap = np.full_like(swap, 0.4)
            pairs.append(ColorPair(swap=swap, plate=plate, area=area, frame_index=number))
        return pairs

    def arrays(self, result: Any, item: ColorPair) -> list[np.ndarray[Any, Any]]:
        """A float32 picture like the swap, in 0..1."""
        assert result.shape == item.swap.shape
        assert result.dtype == np.float32
        assert result.min() >= 0
        assert result.max() <= 1
        return [result]

    def test_what_looks_at_the_seen_alone_needs_no_more(self, stage: Any) -> None:
        """Asked about the part that holds the area, it answers that part as before."""
        if not getattr(stage, "only_seen", False):
            pytest.skip("looks at the whole crop")
        part = (slice(6, None), slice(3, 44))
        for pair in self.make_items(stage):
            cut = replace(pair, swap=pair.swap[part], plate=pair.plate[part], area=pair.area[part])
            (whole,), (answer,) = stage([pair]), stage([cut])
            np.testing.assert_allclose(answer, whole[part], atol=1e-4)


class BlendConformance(StageConformance):
    """For `mien_blends`."""

    kind = "blend"

    def make_items(self, stage: Any) -> list[BlendPair]:
        """Regions with soft, hard, full and empty masks; one region is not square."""
        pairs = []
        for number, (height, width) in enumerate([(40, 40), (40, 40), (30, 52), (40, 40), (7, 5)]):
            plate = picture(width, height, seed=number).astype(np.float32) / 255
            swap = picture(width, height, seed=50 + number).astype(np.float32) / 255
            y, x = np.mgrid[0:height, 0:width].astype(np.float32)
            far = np.hypot(x - width / 2, y - height / 2)[..., None]
            soft = np.clip(1.2 - far / (0.5 * height), 0, 1).astype(np.float32)
            alpha = [soft, (soft > 0.5).astype(np.float32), soft, soft * 0, soft * 0 + 1][number]
            pairs.append(BlendPair(plate=plate, swap=swap, alpha=alpha, frame_index=number))
        return pairs

    def arrays(self, result: Any, item: BlendPair) -> list[np.ndarray[Any, Any]]:
        """A float32 picture and mask of the region's size; nothing where nothing was asked."""
        assert result.image.shape == item.plate.shape
        assert result.alpha.shape == item.alpha.shape
        assert result.image.dtype == result.alpha.dtype == np.float32
        assert result.alpha.min() >= 0
        assert result.alpha.max() <= 1
        if not item.alpha.any():
            assert not result.alpha.any()
        return [result.image, result.alpha]
