"""What any colour transfer of a single pair keeps to, whatever it matches.

A test module subclasses `ColorProperties` beside `ColorTransferConformance`, names its plugin
module, and says what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ..arrays import Image
from ..options import parse
from ..stages import ColorPair, Neighbours, Provider
from .fakes import FakeContext

Picture = NDArray[np.float32]


def noise(height: int, width: int, seed: int) -> Picture:
    """A picture in which every channel has its own place and spread."""
    rng = np.random.default_rng(seed)
    made = rng.random((height, width, 3)) * rng.uniform(0.1, 0.6, 3) + rng.uniform(0, 0.4, 3)
    return made.astype(np.float32)


class ColorProperties:
    """Properties of a transfer.

    same     how far a swap may move that has the plate's colours already
    outside  whether pixels outside the area must not count
    """

    plugin: ClassVar[ModuleType]
    options: ClassVar[Mapping[str, Any]] = {}
    same: ClassVar[float] = 1e-4
    outside: ClassVar[bool] = True

    def transfer(
        self, swap: Picture, plate: Picture, area: Picture, *, seed: int = 0, frame: int = 0
    ) -> Image:
        """One pair through a stage of its own."""
        provider: Provider = next(iter(self.plugin.mien_color_transfers()))
        stage = provider.create(parse(provider.options, self.options), FakeContext(seed=seed))
        pair = ColorPair(swap=swap, plate=plate, area=area, frame_index=frame)
        stage.open()
        (result,) = stage([Neighbours(item=pair) if any(stage.window) else pair])
        stage.close()
        made: Image = result
        return made

    # Inherited on purpose: each subclass is another transfer with the same promises.
    @settings(max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
    @given(
        height=st.integers(1, 40),
        width=st.integers(1, 40),
        seed=st.integers(0, 99),
        share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
        flat=st.sampled_from(["", "swap", "plate", "both"]),
    )
    def test_any_pair_gives_a_picture(
        self, height: int, width: int, seed: int, share: float, flat: str
    ) -> None:
        """Of the same size, finite, in range: for odd sizes, specks of area, flat pictures."""
        swap, plate = noise(height, width, seed), noise(height, width, seed + 1)
        if flat in ("swap", "both"):
            swap[:] = swap[0, 0]
        if flat in ("plate", "both"):
            plate[:] = plate[0, 0]
        drawn = np.random.default_rng(seed).random((height, width, 1))
        result = self.transfer(swap, plate, (drawn < share).astype(np.float32))
        assert result.shape == swap.shape
        assert result.dtype == np.float32
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1

    def test_sizes_up_to_a_real_face_work(self) -> None:
        """One pixel, a row, and what models give."""
        for height, width in ((1, 1), (1, 64), (256, 256)):
            swap, plate = noise(height, width, 1), noise(height, width, 2)
            result = self.transfer(swap, plate, np.ones((height, width, 1), np.float32))
            assert result.shape == swap.shape
            assert np.isfinite(result).all()

    def test_black_and_white_pictures_stay_in_range(self) -> None:
        """Extremes are no matter."""
        hard = (noise(24, 24, 1) > 0.4).astype(np.float32)
        area = np.ones((24, 24, 1), np.float32)
        for swap, plate in ((hard, 1 - hard), (noise(24, 24, 2), hard), (hard, noise(24, 24, 2))):
            result = self.transfer(swap, plate, area)
            assert result.min() >= 0
            assert result.max() <= 1

    def test_a_swap_that_has_the_colours_already_keeps_them(self) -> None:
        """The same picture twice."""
        swap = noise(32, 32, 1)
        area = np.zeros((32, 32, 1), np.float32)
        area[6:-6, 6:-6] = 1
        result = self.transfer(swap, swap.copy(), area)
        inside = area[..., 0] > 0
        np.testing.assert_allclose(result[inside], swap[inside], atol=self.same)

    def test_only_the_area_counts(self) -> None:
        """Anything may stand around the face, in either picture."""
        if not self.outside:
            return
        swap, plate = noise(48, 48, 1), noise(48, 48, 2)
        area = np.zeros((48, 48, 1), np.float32)
        area[12:-12, 14:-12] = 1
        around = area[..., 0] == 0
        other_swap, other_plate = swap.copy(), plate.copy()
        other_swap[around], other_plate[around] = (0, 0, 1), (0, 1, 0)
        results = [
            self.transfer(*pair, area.copy()) for pair in ((swap, plate), (other_swap, other_plate))
        ]
        np.testing.assert_allclose(results[0][~around], results[1][~around], atol=1e-5)

    def test_a_face_outside_the_picture_is_returned_as_it_came(self) -> None:
        """Where nothing is seen nothing is measured."""
        swap = noise(16, 16, 1)
        if self.outside:
            none = np.zeros((16, 16, 1), np.float32)
            np.testing.assert_array_equal(self.transfer(swap, noise(16, 16, 2), none), swap)

    def test_a_picture_without_numbers_is_handed_on(self) -> None:
        """A model that failed is reported elsewhere; the run goes on."""
        swap, plate = noise(16, 16, 1), noise(16, 16, 2)
        swap[2, 3] = np.nan
        result = self.transfer(swap, plate, np.ones((16, 16, 1), np.float32))
        assert np.isnan(result[2, 3]).any()

    def test_every_frame_of_a_run_is_treated_alike(self) -> None:
        """Nothing is drawn anew from frame to frame; batches and other frames leave no trace."""
        swap, plate, area = noise(24, 24, 1), noise(24, 24, 2), np.ones((24, 24, 1), np.float32)
        results = [self.transfer(swap, plate, area, frame=frame) for frame in (0, 1, 70)]
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])
