"""The detector: batches of frames in, boxes and five points out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mien.arrays import Image, full_scale
from mien.geometry.boxes import suppress
from mien.stages import Context, ExportPlan, Session, StageBase
from mien.types import Detection, Frame
from mien.weights import file_sha256
from numpy.typing import NDArray

from . import Options
from .decode import Floats, decode_boxes, decode_points, drop_inner, make_priors
from .variants import VARIANTS

MEAN_BGR = np.array([104, 117, 123], np.float32)
# With published weights a face above about 256 px breaks into several; halving heals it.
COARSEST = 320
# In a pyramid, faces below this side are looked for in a picture, larger ones in the next coarser.
# On 27 clips that left 2 false boxes of the 1mb weights in 1000 frames; one picture alone gave 99.
FINE_BELOW = 48


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What may be faces, in frame pixels: boxes (K, 4), scores (K,), points (K, 5, 2) or None."""

    boxes: Floats
    scores: Floats
    points: Floats | None

    def pick(self, which: Any) -> Candidates:
        """Those of an index array, in its order."""
        points = None if self.points is None else self.points[which]
        return Candidates(self.boxes[which], self.scores[which], points)


class RetinaFaceDetector(StageBase):
    """Finds faces; boxes and points are floats in frame pixels, the surest face first."""

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self._options, self._context = options, context
        self._variant = VARIANTS[options.weights]
        given = options.threshold
        self._threshold = self._variant.threshold if given is None else given
        asked = options.pyramid
        self._pyramid = self._variant.pyramid if asked is None else asked
        self._session: Session | None = None

    def open(self) -> None:
        """Open the net; published weights are exported once on a machine, which needs torch."""
        context, variant = self._context, self._variant
        if variant.shipped:
            self._session = context.onnx(context.weights(variant.file))
            return
        digest = variant.file.sha256 or file_sha256(context.weights(variant.file))
        self._session = context.exported(
            f"retinaface 2, {variant.body}, slope {variant.slope}, weights {digest}", self._plan
        )

    def _plan(self) -> ExportPlan:
        from .files import export_plan, load_net

        return export_plan(load_net(self._context.weights(self._variant.file), self._variant))

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[Frame], /) -> list[tuple[Detection, ...]]:
        """The faces of each frame.  Frames of one size go through the net together."""
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, frame in enumerate(batch):
            alike[frame.image.shape[:2]].append(place)
        results: list[tuple[Detection, ...]] = [()] * len(batch)
        for places in alike.values():
            images = [batch[place].image for place in places]
            for place, found in zip(places, self._look(images), strict=True):
                results[place] = self._detections(found)
        return results

    def _look(self, images: Sequence[Image]) -> list[Candidates]:
        """Candidates of pictures of one size, from every level of the pyramid."""
        height, width = images[0].shape[:2]
        levels = []
        for long_side, below in self._levels(max(height, width)):
            scale = long_side / max(height, width)
            size = max(1, round(width * scale)), max(1, round(height * scale))
            levels.append(
                [_reduce(found, scale, below) for found in self._run(images, size, scale)]
            )
        return [_join(found) for found in zip(*levels, strict=True)]

    def _levels(self, own: int) -> list[tuple[float, float]]:
        """Long sides to look at, each with the face side (in it) at which the next takes over."""
        side: float = min(self._options.size or own, own * self._options.enlarge)
        sides = [side]
        while self._pyramid and side > COARSEST:
            side /= 2
            sides.append(side)
        plan = [(each, float(FINE_BELOW)) for each in sides[:-1]] + [(sides[-1], np.inf)]
        smallest = self._options.min_face
        return [(each, below) for each, below in plan if smallest * each / own < below]

    def _run(
        self, images: Sequence[Image], size: tuple[int, int], scale: float
    ) -> list[Candidates]:
        """All candidates above the threshold, from pictures fed as `size` (width, height)."""
        if self._session is None:
            raise RuntimeError("the detector is called before open()")
        fed = np.empty((len(images), 3, size[1], size[0]), np.float32)
        for place, image in enumerate(images):
            prepare(image, size, rgb=self._options.feed == "rgb", out=fed[place])
        offsets, classes, *moves = self._session.run(None, {"image": fed})
        priors = make_priors(size[1], size[0], self._variant.min_sizes)
        to_frame = np.array(size, np.float32) / np.float32(scale)
        found = []
        for place in range(len(images)):
            scores = classes[place, :, 1]
            which = np.flatnonzero(scores >= self._threshold)
            boxes = decode_boxes(offsets[place, which], priors[which]) * np.tile(to_frame, 2)
            points = (
                decode_points(moves[0][place, which], priors[which]) * to_frame if moves else None
            )
            found.append(Candidates(boxes, scores[which], points))
        return found

    def _detections(self, found: Candidates) -> tuple[Detection, ...]:
        options = self._options
        found = found.pick(np.argsort(found.scores, kind="stable")[-options.top_k :])
        kept = suppress(found.boxes, found.scores, options.nms, plus_one=options.plus_one)
        found = found.pick(kept[: options.keep])
        found = found.pick(drop_inner(found.boxes, options.inner))
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1, initial=np.inf)
        found = found.pick(np.flatnonzero(sides >= options.min_face)[: options.max_faces or None])
        points = [None] * len(found.scores) if found.points is None else found.points
        return tuple(
            Detection(box=(x0, y0, x1, y1), score=score, points5=marks)
            for (x0, y0, x1, y1), score, marks in zip(
                found.boxes.tolist(), found.scores.tolist(), points, strict=True
            )
        )


def prepare(
    image: Image,
    size: tuple[int, int],
    *,
    rgb: bool = False,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The picture as the net wants it: (3, H, W) BGR 0..255 less the mean; size (width, height).

    Shrinks by true area averages; bilinear would alias a 4K plate.  `rgb` turns the colours round
    but not the mean, as some programs feed this net.  `out` is written to where it is given.
    """
    if image.dtype == np.float32:  # a float plate may hold highlights above 1, and holes
        image = np.clip(np.nan_to_num(image), 0, 1)
    if size != (image.shape[1], image.shape[0]):
        shrinks = size[0] < image.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=how)
    gain = np.float32(255 / full_scale(image.dtype))
    channels = cv2.split(np.ascontiguousarray(image))  # whole planes are four times as quick
    fed = np.empty((3, *image.shape[:2]), np.float32) if out is None else out
    for plane, channel, mean in zip(
        fed, channels[::-1] if rgb else channels, MEAN_BGR, strict=True
    ):
        if gain == 1:
            np.subtract(channel, mean, out=plane, dtype=np.float32)
            continue
        np.multiply(channel, gain, out=plane, dtype=np.float32)
        plane -= mean
    return fed


def _reduce(found: Candidates, scale: float, below: float) -> Candidates:
    """Without the candidates that a coarser level judges better."""
    if below == np.inf:
        return found
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) * scale
    return found.pick(np.flatnonzero(sides < below))


def _join(levels: Sequence[Candidates]) -> Candidates:
    if len(levels) == 1:
        return levels[0]
    points = [found.points for found in levels if found.points is not None]
    return Candidates(
        np.concatenate([found.boxes for found in levels]),
        np.concatenate([found.scores for found in levels]),
        np.concatenate(points) if points else None,
    )
