"""The 68 points, and how much care is taken over them.

`careful` wraps any aligner.  The face of a turned frame, or one whose light is evened out, is shown
to the aligner in a patch: a part of the frame around it, upright, as a small frame of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..arrays import Image, as_dtype, as_float
from ..errors import ConfigError
from ..pipeline import FaceStep
from ..stages import FaceQuery, StageBase
from ..types import Detection, FaceType, Frame, Landmarks, Packet, replace
from .options import FindOptions

if TYPE_CHECKING:
    import numpy as np

    from ..arrays import Matrix, Points
    from ..stages import AlignerStage

PATCH_SIDES = 3.0
"""Side of a patch in longer sides of the face's box: aligners look around the box."""

PATCH_SIDE = 768
"""Largest side of a patch in pixels; the box then has 256, as much as an aligner's net sees."""

JITTER = 0.05
"""How far a fed box is moved and scaled, as part of its side.  Source: faceswap's re-feed."""

UNIT_BOX = (-0.085, -0.415, 1.061, 1.185)
"""A detector's box of an upright face in the unit space of the mean face: the median of 1881."""


class AlignStep(FaceStep[FaceQuery, Landmarks]):
    """Gives every face its 68 points; leaves out what the points say is no face, or not wanted."""

    def __init__(self, aligner: AlignerStage, options: FindOptions) -> None:
        super().__init__(aligner)
        self._options = options

    def ask(self, packet: Packet, position: int) -> FaceQuery | None:
        """Every face that has no landmarks yet."""
        face = packet.faces[position]
        if face.landmarks is not None:
            return None
        found = Detection(box=face.box, score=face.score, points5=face.points5, roll=face.roll)
        return FaceQuery(frame=packet.frame, detection=found)

    def answer(self, packet: Packet, answers: dict[int, Landmarks]) -> Packet:
        """The faces with their points."""
        faces = [
            replace(face, landmarks=answers[position].points) if position in answers else face
            for position, face in enumerate(packet.faces)
        ]
        usable = [
            face
            for position, face in enumerate(faces)
            if position not in answers or is_face(answers[position].points, self._options)
        ]
        return replace(packet, faces=tuple(usable))


def careful(
    aligner: AlignerStage, options: FindOptions, rng: Callable[..., np.random.Generator]
) -> AlignerStage:
    """The aligner with the care that the options ask for; itself where they ask for none."""
    turns = any(angle % 360 for angle in options.rotations)
    if not (turns or options.re_feed or options.re_align or options.normalise != "none"):
        return aligner
    if aligner.window != (0, 0):
        raise ConfigError(
            "find: the chosen aligner looks at neighbouring frames by itself; rotations, re_feed, "
            "re_align and normalise cannot be used with it"
        )
    return CarefulAligner(aligner, options, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A face as it is shown to the aligner; `matrix` leads from the frame to `frame`'s pixels,
    None where the frame itself is shown."""

    frame: Frame
    found: Detection
    matrix: Matrix | None = None

    def back(self, points: Points) -> Points:
        from ..geometry import invert, transform

        return points if self.matrix is None else transform(invert(self.matrix), points)


class CarefulAligner(StageBase):
    """An aligner that sees upright, evenly lit faces, several times each."""

    def __init__(
        self,
        aligner: AlignerStage,
        options: FindOptions,
        rng: Callable[..., np.random.Generator],
    ) -> None:
        self._aligner, self._options, self._rng = aligner, options, rng
        self.batch_size = aligner.batch_size

    def open(self) -> None:
        """Open the aligner."""
        self._aligner.open()

    def close(self) -> None:
        """Close the aligner."""
        self._aligner.close()

    def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
        """The landmarks of each face, frame pixels."""
        views = [self._first_view(query) for query in batch]
        if self._options.re_align:
            first = self._align([[view] for view in views])
            views = [
                self._upright_view(query, marks) for query, marks in zip(batch, first, strict=True)
            ]
        return self._align(
            [self._jittered(query, view) for query, view in zip(batch, views, strict=True)]
        )

    def _align(self, looks: Sequence[Sequence[_View]]) -> list[Landmarks]:
        """The mean of what the aligner says of every face's views."""
        import numpy as np

        flat = [view for views in looks for view in views]
        size, answers = self.batch_size, list[Landmarks]()
        for start in range(0, len(flat), size):
            part = flat[start : start + size]
            answers += self._aligner([FaceQuery(frame=v.frame, detection=v.found) for v in part])
        marks, start = [], 0
        for views in looks:
            own = list(zip(views, answers[start : start + len(views)], strict=True))
            start += len(views)
            points = np.mean([view.back(answer.points) for view, answer in own], axis=0)
            score = float(np.mean([answer.score for _, answer in own]))
            marks.append(Landmarks(points=points.astype(np.float32), score=score))
        return marks

    def _first_view(self, query: FaceQuery) -> _View:
        found = query.detection
        if self._options.normalise == "none" and not found.roll:
            return _View(frame=query.frame, found=found)
        x0, y0, x1, y1 = found.box
        centre = ((x0 + x1) / 2, (y0 + y1) / 2)
        side = PATCH_SIDES * max(x1 - x0, y1 - y0, 1.0)
        return self._patch(query, centre, side, found.roll)

    def _upright_view(self, query: FaceQuery, marks: Landmarks) -> _View:
        """A patch as the points say it: upright, with the box that such a face has."""
        import numpy as np

        from ..geometry import align_unit, invert, transform

        try:
            unit = align_unit(marks.points)
        except ValueError:
            return self._first_view(query)
        u0, v0, u1, v1 = UNIT_BOX
        ((x, y),) = transform(invert(unit), np.array([[(u0 + u1) / 2, (v0 + v1) / 2]]))
        pixels = 1 / np.sqrt(abs(np.linalg.det(unit[:, :2])))
        width, height = (u1 - u0) * pixels, (v1 - v0) * pixels
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        roll = -float(np.rad2deg(np.arctan2(unit[1, 0], unit[0, 0])))
        left, top, right, bottom = (float(edge) for edge in edges)
        found = replace(query.detection, box=(left, top, right, bottom), roll=roll)
        side = PATCH_SIDES * max(width, height)
        return self._patch(replace(query, detection=found), (x, y), side, roll)

    def _patch(
        self, query: FaceQuery, centre: tuple[float, float], side: float, roll: float
    ) -> _View:
        """The square of `side` frame pixels around `centre`, turned so that a head which leans by
        `roll` degrees stands upright."""
        import numpy as np

        from ..geometry import transform, warp

        size = max(16, min(round(side), PATCH_SIDE))
        zoom, angle = size / side, np.deg2rad(-roll)
        linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack([linear, np.full(2, size / 2) - linear @ centre])
        image = warp(query.frame.image, matrix, size)
        found = query.detection
        x0, y0, x1, y1 = found.box
        ((x, y),) = transform(matrix, np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]))
        wide, high = (x1 - x0) * zoom / 2, (y1 - y0) * zoom / 2
        return _View(
            frame=replace(query.frame, image=normalised(image, self._options.normalise)),
            found=Detection(
                box=(float(x - wide), float(y - high), float(x + wide), float(y + high)),
                score=found.score,
                points5=None if found.points5 is None else transform(matrix, found.points5),
            ),
            matrix=matrix,
        )

    def _jittered(self, query: FaceQuery, view: _View) -> list[_View]:
        """The view, and `re_feed` more of it with moved and scaled boxes."""
        if not self._options.re_feed:
            return [view]
        place = (round(edge) for edge in query.detection.box)
        rng = self._rng("re-feed", query.frame.index, *place)
        x0, y0, x1, y1 = view.found.box
        views = [view]
        for zoom, right, down in rng.uniform(-JITTER, JITTER, (self._options.re_feed, 3)):
            x, y = (x0 + x1) / 2 + right * (x1 - x0), (y0 + y1) / 2 + down * (y1 - y0)
            wide, high = (x1 - x0) * (1 + zoom) / 2, (y1 - y0) * (1 + zoom) / 2
            box = (float(x - wide), float(y - high), float(x + wide), float(y + high))
            views.append(
                _View(frame=view.frame, found=replace(view.found, box=box), matrix=view.matrix)
            )
        return views


def normalised(image: Image, how: str) -> Image:
    """The picture with evened light, uint8; `none` returns it as it is.

    mean   each channel stretched to the whole range
    hist   each channel's histogram made flat
    clahe  the same within a grid of 4 x 4, contrast limited to 2.  Source: faceswap's settings,
           on channels, where faceswap itself works on thirds of the picture by mistake
    """
    if how == "none":
        return image
    import cv2
    import numpy as np

    bytes_ = as_dtype(as_float(image), "uint8")
    if how == "mean":
        low = bytes_.min(axis=(0, 1)).astype(np.float32)
        high = bytes_.max(axis=(0, 1)).astype(np.float32)
        stretched: Image = ((bytes_ - low) * (255 / np.maximum(high - low, 1))).astype(np.uint8)
        return stretched
    channels = cv2.split(bytes_)
    if how == "hist":
        return cv2.merge([cv2.equalizeHist(channel) for channel in channels])
    clahe = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4))
    return cv2.merge([clahe.apply(channel) for channel in channels])


def is_face(landmarks: Points, options: FindOptions) -> bool:
    """Whether these 68 points can be a face that is wanted.

    Points of which no crop can be made never are: a net lost in noise may put all on one spot.
    Source of the further tests: faceswap's filters of features, distance and roll.
    """
    import numpy as np

    from ..geometry import MEAN_FACE, align_unit, crop_matrix, transform

    try:
        crop_matrix(landmarks, FaceType.FULL, 64)
        unit = align_unit(landmarks)
    except ValueError:
        return False
    roll = abs(float(np.rad2deg(np.arctan2(unit[1, 0], unit[0, 0]))))
    if options.max_roll and roll > options.max_roll:
        return False
    if not options.max_oddness:
        return True
    points = transform(unit, landmarks)
    eyes, mouth = np.concatenate([points[17:27], points[36:48]]), points[48:]
    if mouth[:, 1].min() <= eyes[:, 1].max():
        return False
    return float(np.abs(points[17:] - MEAN_FACE).mean()) <= options.max_oddness
