"""The masker: the part of a frame's mask that lies under each crop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from mien.arrays import Mask
from mien.errors import InputError, StageError
from mien.geometry import warp
from mien.stages import StageBase
from mien.types import Crop, CropSpec
from numpy.typing import NDArray

from . import Options
from .sources import Masks, nearest, open_masks

# A batch may hold faces of several frames, and several of one.
_KEPT_FRAMES = 8


class CustomMasker(StageBase):
    """Cuts each crop's mask out of the mask of its frame."""

    batch_size = 8

    def __init__(self, options: Options) -> None:
        self.spec = CropSpec(face_type=options.face_type, size=options.size, dtype="uint8")
        self._options = options
        self._masks: Masks | None = None
        self._shape: tuple[int, ...] | None = None
        self._read: Callable[[int], NDArray[np.float32]] | None = None

    def open(self) -> None:
        """Find the masks."""
        options = self._options
        if options.source is None:
            raise RuntimeError("a custom mask without a source")
        self._masks = open_masks(options.source, options.first, options.channel, options.label)
        self._read = functools.lru_cache(maxsize=_KEPT_FRAMES)(self._load)
        self._shape = (options.height, options.width) if options.width else None

    def close(self) -> None:
        """Let the files go."""
        if self._masks is not None:
            self._masks.close()
        self._masks = self._read = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Mask]:
        """Masks (S, S, 1) float32 0..1, in order."""
        return [self._one(crop) for crop in batch]

    def _one(self, crop: Crop) -> Mask:
        if self._masks is None or self._read is None:
            raise RuntimeError("the masker is called before open()")
        number = crop.frame_index + self._options.first
        numbers = self._masks.numbers
        if numbers is not None and number not in numbers:
            if self._options.missing != "nearest":
                full = self._options.missing == "full"
                return np.full((self.spec.size, self.spec.size, 1), float(full), np.float32)
            number = nearest(numbers, number)
        mask = self._read(number)
        self._check_place(crop, mask)
        seen = warp(mask, crop.matrix, self.spec.size)
        return np.clip(seen, 0, 1)

    def _load(self, number: int) -> NDArray[np.float32]:
        """The mask of a frame, in the frame's size."""
        assert self._masks is not None
        mask = self._masks.read(number)
        if self._shape is None:  # the first mask tells the size of all
            self._shape = mask.shape[:2]
        if mask.shape[:2] != self._shape:
            mask = self._stretched(mask, number)
        return 1 - mask if self._options.invert else mask

    def _stretched(self, mask: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        import cv2

        assert self._shape is not None
        height, width = self._shape
        if not self._options.stretch:
            others = "the frames have" if self._options.width else "those before have"
            raise InputError(
                f"masker.custom: the mask of frame {number} has {mask.shape[1]}x{mask.shape[0]} "
                f"pixels, {others} {width}x{height}; give the frames' width and height and "
                "stretch = true to stretch it"
            )
        shrinks = width < mask.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        sized = cv2.resize(mask, (width, height), interpolation=how)
        return np.asarray(sized, np.float32).reshape(height, width, 1)

    def _check_place(self, crop: Crop, mask: NDArray[np.float32]) -> None:
        x0, y0, x1, y1 = crop.face.box
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        height, width = mask.shape[:2]
        if not (-1 <= x <= width and -1 <= y <= height):
            raise StageError(
                f"masker.custom: a face of frame {crop.frame_index} is at ({x:.0f}, {y:.0f}), "
                f"outside its mask of {width}x{height} pixels: was it made for another size?"
            )
