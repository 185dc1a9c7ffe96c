"""Boxes: several detectors look at a frame, turned as asked; the finds become faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..arrays import Image
from ..stages import Neighbours, StageBase
from ..types import Detection, Face, Frame, Packet, replace
from .between import Glance, carried, glance, is_between
from .options import FindOptions

if TYPE_CHECKING:
    from ..arrays import Matrix
    from ..stages import DetectorStage


class DetectStep(StageBase):
    """Frames into packets, each with the faces that were found, in the order asked for.

    With `detect_every` above 1 the detectors see every Nth frame of the clip, and those frames
    besides whose faces do not follow from the frames around them.
    """

    def __init__(self, detectors: Sequence[DetectorStage], options: FindOptions) -> None:
        self._detectors, self._options = tuple(detectors), options
        self.batch_size = max(detector.batch_size for detector in detectors)
        around = options.detect_every - 1
        self.window = (around, around)
        self._seen: dict[int, list[Detection]] = {}
        self._glances: dict[int, Glance] = {}

    def open(self) -> None:
        """Open the detectors."""
        self._seen.clear()
        self._glances.clear()
        for detector in self._detectors:
            detector.open()

    def close(self) -> None:
        """Close the detectors."""
        for detector in self._detectors:
            detector.close()

    def __call__(self, batch: Sequence[Frame | Neighbours[Frame]], /) -> list[Packet]:
        """One packet per frame."""
        frames = [each.item if isinstance(each, Neighbours) else each for each in batch]
        if self._options.detect_every == 1:
            finds = self._find(frames)
        else:
            finds = self._follow(frames, _with_neighbours(batch))
        return [
            Packet(frame=frame, faces=self._faces(frame, found))
            for frame, found in zip(frames, finds, strict=True)
        ]

    def _follow(
        self, frames: Sequence[Frame], around: Mapping[int, Frame]
    ) -> list[list[Detection]]:
        """What is found in the frames, those at hand `around` them by index; looks at few.

        A frame that does not follow from the looks on both sides of it gets a look half way between
        them, and is judged again by the nearer two.
        """
        every = self._options.detect_every
        self._forget(min(around))
        open_spans = {
            frame.index: (first, first + every)
            for frame in frames
            if (first := frame.index // every * every) != frame.index
            and first in around
            and first + every in around
        }
        ends = {end for span in open_spans.values() for end in span}
        ends |= {frame.index for frame in frames if frame.index not in open_spans}
        found: dict[int, list[Detection]] = {}
        while ends:
            self._look_at([around[index] for index in sorted(ends)])
            ends = set()
            for index, (first, last) in list(open_spans.items()):
                known = self._carried(index, first, last, around)
                if known is not None:
                    found[index] = known
                    del open_spans[index]
                    continue
                middle = (first + last) // 2
                if middle not in around:  # not every frame of the clip is asked about
                    middle = index
                ends.add(middle)
                if middle == index:
                    del open_spans[index]
                else:
                    open_spans[index] = (first, middle) if index < middle else (middle, last)
        return [found.get(frame.index) or self._seen.get(frame.index, []) for frame in frames]

    def _look_at(self, frames: Sequence[Frame]) -> None:
        new = [frame for frame in frames if frame.index not in self._seen]
        for frame, found in zip(new, self._find(new), strict=True):
            self._seen[frame.index] = found

    def _carried(
        self, index: int, first: int, last: int, around: Mapping[int, Frame]
    ) -> list[Detection] | None:
        """What the looks at two frames say of one between them; None where it must be seen."""
        part = (index - first) / (last - first)
        faces = carried(self._seen[first], self._seen[last], part)
        if faces is None or len({around[each].image.shape for each in (first, index, last)}) > 1:
            return None
        before, now, after = (self._glance(around[each]) for each in (first, index, last))
        return faces if is_between(before, now, after, part) else None

    def _glance(self, frame: Frame) -> Glance:
        if frame.index not in self._glances:
            self._glances[frame.index] = glance(frame.image)
        return self._glances[frame.index]

    def _forget(self, first: int) -> None:
        """Drop what was known of frames before this one."""
        self._seen = {index: found for index, found in self._seen.items() if index >= first}
        self._glances = {index: seen for index, seen in self._glances.items() if index >= first}

    def _find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """What the detectors find in each frame, at the angles asked for."""
        finds: list[list[Detection]] = [[] for _ in frames]
        for angle in self._options.rotations:
            places = [
                place
                for place, found in enumerate(finds)
                if not found or self._options.rotate == "all"
            ]
            for place, found in zip(places, self._look(frames, places, angle), strict=True):
                finds[place] += found
        if len(self._detectors) > 1 or self._options.rotate == "all":
            return [_join(found, self._options.overlap) for found in finds]
        return finds

    def _look(
        self, batch: Sequence[Frame], places: Sequence[int], angle: int
    ) -> list[list[Detection]]:
        """What all detectors find in some frames of the batch, turned by `angle`, as it lies in
        the frames themselves."""
        if not places:
            return []
        frames = [batch[place] for place in places]
        matrix = None
        if angle % 360:
            turned = [turn(frame.image, angle) for frame in frames]
            frames = [
                replace(frame, image=image)
                for frame, (image, _) in zip(frames, turned, strict=True)
            ]
            matrix = [matrix for _, matrix in turned]
        finds: list[list[Detection]] = [[] for _ in frames]
        for detector in self._detectors:
            for place, found in enumerate(_in_batches(detector, frames)):
                finds[place] += found
        if matrix is None:
            return finds
        return [
            [_turned_back(one, back, angle) for one in found]
            for found, back in zip(finds, matrix, strict=True)
        ]

    def _faces(self, frame: Frame, found: Sequence[Detection]) -> tuple[Face, ...]:
        """The wanted detections, as faces."""
        options = self._options
        wanted = [
            one
            for one in found
            if one.score >= options.min_score
            and min(_sides(one)) >= options.min_face
            and max(_sides(one)) <= (options.max_face or float("inf"))
        ]
        wanted.sort(key=_ORDERS[options.order](frame))
        return tuple(
            Face(box=one.box, score=one.score, points5=one.points5, roll=one.roll)
            for one in wanted[: options.max_faces or None]
        )


def _with_neighbours(batch: Sequence[Frame | Neighbours[Frame]]) -> dict[int, Frame]:
    """All frames at hand, by index."""
    frames: list[Frame] = []
    for each in batch:
        frames += (
            (*each.before, each.item, *each.after) if isinstance(each, Neighbours) else (each,)
        )
    return {frame.index: frame for frame in frames}


def turn(image: Image, angle: int) -> tuple[Image, Matrix]:
    """The whole picture turned clockwise by `angle` degrees, and the matrix (2, 3) that leads from
    its pixels back to those of the picture."""
    import cv2
    import numpy as np

    from ..geometry import invert, warp

    height, width = image.shape[:2]
    radians = np.deg2rad(angle)
    # Clockwise on a screen, whose y points down.
    linear = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    size = np.abs(linear) @ (width, height)
    wide, high = (max(1, round(float(side))) for side in size)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.column_stack([linear, np.array([(wide - 1) / 2, (high - 1) / 2]) - linear @ middle])
    quarters = {
        90: cv2.ROTATE_90_CLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    }
    if angle % 360 in quarters:
        return cv2.rotate(image, quarters[angle % 360]), invert(matrix)
    return warp(image, matrix, (wide, high)), invert(matrix)


def _turned_back(found: Detection, back: Matrix, angle: int) -> Detection:
    """A find in a turned frame as it lies in the frame; a box turned by an odd angle becomes the
    upright box of the same area around the same place."""
    import numpy as np

    from ..geometry import transform

    x0, y0, x1, y1 = found.box
    ((x, y),) = transform(back, np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]))
    width, height = x1 - x0, y1 - y0
    if angle % 180 == 90:
        width, height = height, width
    elif angle % 180:
        width = height = (width * height) ** 0.5
    points = None if found.points5 is None else transform(back, found.points5)
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Detection(
        box=tuple(float(edge) for edge in box),  # type: ignore[arg-type]
        score=found.score,
        points5=points,
        roll=(found.roll - angle + 180) % 360 - 180,
    )


def _join(found: Sequence[Detection], overlap: float) -> list[Detection]:
    """One detection per face: the surest, with the five points of another where it has none."""
    import numpy as np

    from ..geometry.boxes import clusters

    if len(found) < 2:
        return list(found)
    boxes = np.array([one.box for one in found])
    scores = np.array([one.score for one in found])
    joined = []
    for group in clusters(boxes, scores, overlap):
        best = found[group[0]]
        if best.points5 is None:
            points = next((found[n].points5 for n in group if found[n].points5 is not None), None)
            best = replace(best, points5=points)
        joined.append(best)
    return joined


def _in_batches(detector: DetectorStage, frames: Sequence[Frame]) -> list[Sequence[Detection]]:
    size = detector.batch_size
    found: list[Sequence[Detection]] = []
    for start in range(0, len(frames), size):
        found += detector(frames[start : start + size])
    return found


def _sides(found: Detection) -> tuple[float, float]:
    x0, y0, x1, y1 = found.box
    return x1 - x0, y1 - y0


def _from_centre(frame: Frame, found: Detection) -> float:
    x0, y0, x1, y1 = found.box
    height, width = frame.image.shape[:2]
    return float((x0 + x1 - width) ** 2 + (y0 + y1 - height) ** 2)


_ORDERS: dict[str, Callable[[Frame], Callable[[Detection], float]]] = {
    "largest": lambda frame: lambda found: -_sides(found)[0] * _sides(found)[1],
    "surest": lambda frame: lambda found: -found.score,
    "left": lambda frame: lambda found: found.box[0] + found.box[2],
    "centre": lambda frame: lambda found: _from_centre(frame, found),
}
