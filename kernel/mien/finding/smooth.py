"""Points that do not tremble: each is replaced by a short parabola through its own past and future.

A local quadratic fit follows a moving head, where a plain mean would lag behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..pipeline import same_face
from ..stages import Neighbours, StageBase
from ..types import Face, Packet, replace

if TYPE_CHECKING:
    from ..arrays import Points


class SmoothStep(StageBase):
    """Steadies the landmarks along their tracks, `reach` frames before and after.

    `before` and `after` then hold the jitter of the clip: how far a point lies, on average, from
    the middle of its own neighbours in time, in percent of the distance of the outer eye corners.
    """

    batch_size = 1

    def __init__(self, reach: int) -> None:
        self.window = (reach, reach)
        self._sums = {"before": [0.0, 0], "after": [0.0, 0]}
        self._last: dict[int, list[tuple[int, Points]]] = {}

    @property
    def before(self) -> float:
        """Jitter of the points as they came, percent."""
        total, count = self._sums["before"]
        return 100 * total / max(count, 1)

    @property
    def after(self) -> float:
        """Jitter of the points as they went, percent."""
        total, count = self._sums["after"]
        return 100 * total / max(count, 1)

    def __call__(self, batch: Sequence[Neighbours[Packet]], /) -> list[Packet]:
        """The packets with steadier points; the other faces' and frames' stay as they are."""
        return [self._one(place) for place in batch]

    def _one(self, place: Neighbours[Packet]) -> Packet:
        packet = place.item
        faces = []
        for face in packet.faces:
            track = [
                (other.frame.index, points)
                for other in (*place.before, packet, *place.after)
                if other.shot == packet.shot and (points := _points(face, other)) is not None
            ]
            steady = face
            if face.track >= 0 and face.landmarks is not None and len(track) > 1:
                steady = replace(face, landmarks=steadied(track, packet.frame.index))
            self._measure(face, steady, track, packet.frame.index)
            faces.append(steady)
        return replace(packet, faces=tuple(faces))

    def _measure(
        self, face: Face, steady: Face, track: Sequence[tuple[int, Points]], index: int
    ) -> None:
        if face.landmarks is None or steady.landmarks is None or face.track < 0:
            return
        raw = dict(track)
        place = sorted(raw).index(index)
        near = sorted(raw)[max(0, place - 1) : place + 2]
        if len(near) == 3 and place > 0:
            self._count("before", [raw[number] for number in near])
        recent = self._last.setdefault(face.track, [])
        recent.append((index, steady.landmarks))
        del recent[:-3]
        if len(recent) == 3:
            self._count("after", [points for _, points in recent])

    def _count(self, name: str, three: Sequence[Points]) -> None:
        self._sums[name][0] += jitter(*three)
        self._sums[name][1] += 1


def jitter(first: Points, middle: Points, last: Points) -> float:
    """Mean distance of the middle points from halfway between the others, over that of the outer
    eye corners."""
    import numpy as np

    eyes = float(np.linalg.norm(middle[45] - middle[36]))
    away = np.linalg.norm(middle - (first + last) / 2, axis=1).mean()
    return float(away) / max(eyes, 1e-6)


def steadied(track: Sequence[tuple[int, Points]], index: int) -> Points:
    """The points at frame `index` on parabolas through the track, near frames weighing most.

    track  frame index and points (68, 2), `index` among them; fewer than four give a line, fewer
           than three a mean
    """
    import numpy as np

    times = np.array([number - index for number, _ in track], np.float64)
    values = np.stack([points.reshape(-1) for _, points in track]).astype(np.float64)
    span = max(float(np.abs(times).max()), 1.0)
    weights = np.exp(-0.5 * (1.5 * times / span) ** 2)
    powers = min(2, max(0, len(track) - 2))
    terms = np.stack([(times / span) ** power for power in range(powers + 1)], axis=1)
    scaled = np.sqrt(weights)[:, None]
    fitted, *_ = np.linalg.lstsq(terms * scaled, values * scaled, rcond=None)
    return np.asarray(fitted[0], np.float32).reshape(-1, 2)


def _points(face: Face, packet: Packet) -> Points | None:
    position = same_face(face, packet.faces) if face.track >= 0 else -1
    return packet.faces[position].landmarks if position >= 0 else None
