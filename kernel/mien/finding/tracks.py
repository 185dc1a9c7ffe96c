"""Shots, and the same person through a shot.

A cut is seen in the picture alone, before anybody asks about faces.  Within a shot a face goes to
the track whose expected box it overlaps most; an embedder's vectors decide where they are known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ..arrays import Image, Vector, as_dtype, as_float
from ..geometry.boxes import overlap
from ..stages import StageBase
from ..types import Face, Packet, replace
from .options import FindOptions

if TYPE_CHECKING:
    import numpy as np

Box: TypeAlias = tuple[float, float, float, float]

PATIENCE = 12
"""Frames for which a track waits for a face that is not found."""

LEAST_OVERLAP = 0.2
NEAR = 1.0
"""A face that overlaps nothing may still be a fast one: this far, in widths, from where it was."""

SIZES = 1.6
"""How much larger or smaller a face may be than the track it goes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What an earlier run knows of the frames that are looked at again before new ones.

    faces       boxes and tracks by frame index
    next_track  the first number that is free
    shots       where shots begin, as far as it is known
    until       the first frame that is new
    """

    faces: Mapping[int, Sequence[tuple[Box, int]]] = field(default_factory=dict)
    next_track: int = 0
    shots: Sequence[int] = ()
    until: int = 0

    def is_cut(self, index: int) -> bool | None:
        """Whether a shot begins at this frame; None for a new one."""
        return index in self.shots if index < self.until else None

    def shot_of(self, index: int) -> int:
        """Where the shot of this frame began, as far as it is known."""
        return max((shot for shot in self.shots if shot <= index), default=index)


class TrackStep(StageBase):
    """Gives every face its track and every packet the frame at which its shot began."""

    batch_size = 1

    def __init__(self, options: FindOptions, recall: Recall | None = None) -> None:
        self._recall = recall or Recall()
        self._cuts = CutFinder(options.cut)
        self._same = options.same_person
        self._alive: list[_Track] = []
        self._next = self._recall.next_track
        self._looked = 0
        self.shots: list[int] = []

    @property
    def tracks(self) -> int:
        """How many tracks there are so far, those of earlier runs among them."""
        return self._next

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets in their order."""
        return [self._follow(packet) for packet in batch]

    def _follow(self, packet: Packet) -> Packet:
        self._looked += 1
        index = packet.frame.index
        if self._cuts.see(packet.frame.image, self._recall.is_cut(index)) or not self.shots:
            self._alive.clear()
            self.shots.append(self._recall.shot_of(index) if index < self._recall.until else index)
        self._alive = [track for track in self._alive if self._looked - track.seen <= PATIENCE]
        chosen = self._known(packet) or self._match(packet.faces)
        faces = []
        for position, face in enumerate(packet.faces):
            track = chosen.get(position) or self._begin(self._next, face.box)
            track.move(face, self._looked)
            faces.append(replace(face, track=track.number))
        return replace(packet, faces=tuple(faces), shot=self.shots[-1])

    def _begin(self, number: int, box: Box) -> _Track:
        track = _Track(number=number, box=box, seen=self._looked)
        self._next = max(self._next, number + 1)
        self._alive.append(track)
        return track

    def _known(self, packet: Packet) -> dict[int, _Track]:
        """Tracks as an earlier run gave them to the faces of this frame."""
        found: dict[int, _Track] = {}
        for box, number in self._recall.faces.get(packet.frame.index, ()):
            shares = [overlap(box, face.box) for face in packet.faces]
            best = max(range(len(shares)), key=shares.__getitem__, default=-1)
            if best < 0 or shares[best] < 0.5 or best in found or number < 0:
                continue
            alive = next((track for track in self._alive if track.number == number), None)
            found[best] = alive or self._begin(number, box)
        return found

    def _match(self, faces: Sequence[Face]) -> dict[int, _Track]:
        """The best pairs of faces and tracks, the surest pair first."""
        pairs = [
            (score, position, number)
            for position, face in enumerate(faces)
            for number, track in enumerate(self._alive)
            if (score := self._likeness(face, track)) > 0
        ]
        chosen: dict[int, _Track] = {}
        taken: set[int] = set()
        for _, position, number in sorted(pairs, key=lambda pair: -pair[0]):
            if position not in chosen and number not in taken:
                chosen[position] = self._alive[number]
                taken.add(number)
        return chosen

    def _likeness(self, face: Face, track: _Track) -> float:
        """How well a face fits a track; 0 where it cannot be the same."""
        expected = track.expected(self._looked)
        size, other = _size(face.box), _size(expected)
        if not 1 / SIZES < size / max(other, 1e-6) < SIZES:
            return 0.0
        if face.identity is not None and track.identity is not None:
            like = float(face.identity @ track.identity)
            if like < self._same / 2:
                return 0.0
        shared = overlap(face.box, expected)
        if shared >= LEAST_OVERLAP:
            return 1 + shared
        (x, y), (u, v) = _centre(face.box), _centre(expected)
        away = math.hypot(x - u, y - v) / max(size, other)
        return max(0.0, 1 - away / NEAR)


@dataclass(slots=True, kw_only=True)
class _Track:
    """A person as last seen: box, when (in frames looked at), the pace of its centre in pixels."""

    number: int
    box: Box
    seen: int
    pace: tuple[float, float] = (0.0, 0.0)
    identity: Vector | None = None

    def expected(self, now: int) -> Box:
        """Where the box should be by now; the pace is trusted for a few frames only."""
        ahead = min(now - self.seen, 3)
        x, y = self.pace[0] * ahead, self.pace[1] * ahead
        x0, y0, x1, y1 = self.box
        return x0 + x, y0 + y, x1 + x, y1 + y

    def move(self, face: Face, now: int) -> None:
        """The face was found again."""
        if now > self.seen:
            (x, y), (u, v) = _centre(face.box), _centre(self.box)
            self.pace = ((x - u) / (now - self.seen), (y - v) / (now - self.seen))
        self.box, self.seen = face.box, now
        if face.identity is not None:
            self.identity = face.identity


class CutFinder:
    """Sees whether a picture begins a new shot; the first one always does.

    Two numbers must agree: the mean difference of small copies, and the difference of the colour
    histograms.  Their geometric mean is 0.22 and more at the hard cuts of test clips, and 0.05 at
    most elsewhere.  A whip pan changes every frame by much: a cut changes one by much more.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._last: tuple[Any, Any] | None = None
        self._recent: deque[float] = deque(maxlen=5)

    def see(self, image: Image, known: bool | None = None) -> bool:
        """Whether `image` (H, W, 3) BGR follows a cut; `known` is what was said of it before."""
        import numpy as np

        seen, before = _glance(image), self._last
        self._last = seen
        if before is None:
            return True
        apart = float(np.abs(seen[0] - before[0]).mean())
        colours = float(np.abs(seen[1] - before[1]).sum()) / 2
        change = math.sqrt(apart * colours)
        usual = sum(self._recent) / len(self._recent) if self._recent else 0.0
        cut = change > self._threshold and change > 2.5 * usual if known is None else known
        if cut:
            self._recent.clear()
        else:
            self._recent.append(change)
        return cut


def _glance(image: Image) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A copy of 32 x 32 in 0..1, and the histograms of hue, saturation and value."""
    import cv2
    import numpy as np

    part = 1 / max(1, min(image.shape[:2]) // 96)
    few = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_NEAREST)
    few = few if few.dtype == np.uint8 else as_dtype(as_float(few), "uint8")
    small = cv2.resize(few, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    hsv = cv2.cvtColor(few, cv2.COLOR_BGR2HSV)
    counts = [cv2.calcHist([hsv], [channel], None, [16], [0, 256]).ravel() for channel in range(3)]
    return small, np.concatenate(counts) / (3 * hsv.shape[0] * hsv.shape[1])


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _size(box: Box) -> float:
    return math.sqrt(max(0.0, (box[2] - box[0]) * (box[3] - box[1])))
