"""A contact sheet of what a job did: a few frames spread over the clip, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..arrays import Image, as_dtype, as_float
from ..types import Frame, Packet

PAIRS = 8
CELL = 320


class Sheet:
    """Collects small copies while the frames pass by; memory does not grow with the clip.

    Where the length is unknown the first frames are kept, then every second, fourth, …: always at
    most twice `PAIRS`, spread evenly over what was seen so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._every = 1
        self._before: dict[int, Image] = {}
        self._pairs: dict[int, tuple[Image, Image]] = {}

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, keeping what is needed of the plates."""
        for frame in frames:
            if frame.index % self._every == 0:
                self._before[frame.index] = _small(frame.image)
            yield frame

    def add(self, packet: Packet) -> None:
        """See a finished frame."""
        index = packet.frame.index
        before = self._before.pop(index, None)
        if before is None or index % self._every:
            return
        self._pairs[index] = (before, _small(packet.frame.image))
        if len(self._pairs) > 2 * PAIRS:
            self._every *= 2
            self._pairs = {i: pair for i, pair in self._pairs.items() if i % self._every == 0}

    def write(self) -> Path | None:
        """The sheet as a picture file; None where no frame was seen."""
        from ..media.contact import contact_sheet, save_picture

        seen = sorted(self._pairs)
        if not seen:
            return None
        count = min(PAIRS, len(seen))
        chosen = [seen[round(n * (len(seen) - 1) / max(count - 1, 1))] for n in range(count)]
        images = [side for index in chosen for side in self._pairs[index]]
        titles = [f"{word} {index}" for index in chosen for word in ("plate", "frame")]
        save_picture(self.path, contact_sheet(images, titles, columns=4, width=CELL))
        return self.path


def _small(image: Image) -> Image:
    """The picture as 8 bit, at most CELL pixels wide."""
    import cv2

    height, width = image.shape[:2]
    if width > CELL:
        size = (CELL, max(1, round(height * CELL / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return as_dtype(as_float(image), "uint8")
