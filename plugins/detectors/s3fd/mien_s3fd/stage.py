"""The detector: batches of frames in, boxes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from mien.arrays import Image
from mien.stages import Context, ExportPlan, Session, StageBase
from mien.types import Detection, Frame
from mien.weights import file_sha256

from . import DFL, FACE_ALIGNMENT, FACESWAP, Options
from .decode import SMALLEST_SIDE, Floats, decode_boxes, make_priors, map_shapes
from .flavours import FLAVOURS, Fed, drop_touching

MEAN_BGR = np.array([104, 117, 123], np.float32)
FILES = {"face-alignment": FACE_ALIGNMENT, "faceswap": FACESWAP, "dfl": DFL}


class S3fdDetector(StageBase):
    """Finds faces; boxes in frame pixels, the surest first."""

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self._options, self._context = options, context
        self._file = FILES[options.weights]
        self._flavour = FLAVOURS[options.flavour]
        self._threshold = _chosen(options.threshold, self._flavour.threshold)
        self._overlap = _chosen(options.nms, self._flavour.nms)
        self._session: Session | None = None

    def open(self) -> None:
        """Open the net; the first time on a machine it is exported, which needs torch."""
        digest = self._file.sha256 or file_sha256(self._context.weights(self._file))
        self._session = self._context.exported(f"s3fd 1, weights {digest}", self._plan)

    def _plan(self) -> ExportPlan:
        from .files import export_plan, load_net

        return export_plan(load_net(self._context.weights(self._file)))

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[Frame], /) -> list[tuple[Detection, ...]]:
        """The faces of each frame.  Pictures of one size go through the net together."""
        fed = [self._flavour.feed(frame.image, self._options.size) for frame in batch]
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, one in enumerate(fed):
            alike[one.image.shape].append(place)
        results: list[tuple[Detection, ...]] = [()] * len(batch)
        for places in alike.values():
            boxes = self._run([fed[place] for place in places])
            for place, (found, scores) in zip(places, boxes, strict=True):
                results[place] = self._detections(found, scores, fed[place])
        return results

    def _run(self, pictures: Sequence[Fed]) -> list[tuple[Floats, Floats]]:
        """Boxes above the threshold and their scores, in pixels of the fed pictures."""
        if self._session is None:
            raise RuntimeError("the detector is called before open()")
        height, width = pictures[0].image.shape[:2]
        # Below 32 pixels a side is pooled away; what is added has the colour of the mean.
        rows, columns = max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE)
        images = np.zeros((len(pictures), 3, rows, columns), np.float32)
        for place, picture in enumerate(pictures):
            images[place, :, :height, :width] = prepare(picture.image, rgb=self._flavour.rgb)
        offsets, scores = self._session.run(None, {"image": images})
        priors = make_priors(map_shapes(rows, columns))
        found = []
        for place in range(len(pictures)):
            which = np.flatnonzero(scores[place] >= self._threshold)
            sure = scores[place, which]
            if len(which) > self._options.top_k:
                best = np.sort(np.argsort(-sure, kind="stable")[: self._options.top_k])
                which, sure = which[best], sure[best]
            found.append((decode_boxes(offsets[place, which], priors[which]), sure))
        return found

    def _detections(self, boxes: Floats, scores: Floats, fed: Fed) -> tuple[Detection, ...]:
        boxes, scores = self._flavour.thin(boxes, scores, self._overlap)
        boxes, which = self._flavour.finish(boxes, fed)
        scores = scores[which]
        if self._options.apart:
            which = drop_touching(boxes)
            boxes, scores = boxes[which], scores[which]
        # Rounding may leave a box without an inside.
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
        good = np.flatnonzero((sides >= self._options.min_face) & (sides > 0))
        good = good[: self._options.max_faces or None]
        return tuple(
            Detection(box=(x0, y0, x1, y1), score=score)
            for (x0, y0, x1, y1), score in zip(
                boxes[good].tolist(), scores[good].tolist(), strict=True
            )
        )


def prepare(image: Image, *, rgb: bool = False) -> Floats:
    """(3, H, W) less the mean, from (H, W, 3) BGR 0..255; `rgb` turns the picture, not the mean."""
    channels = cv2.split(np.ascontiguousarray(image))
    fed = np.empty((3, *image.shape[:2]), np.float32)
    for plane, channel, mean in zip(
        fed, channels[::-1] if rgb else channels, MEAN_BGR, strict=True
    ):
        np.subtract(channel, mean, out=plane, dtype=np.float32)
    return fed


def _chosen(asked: float | None, own: float) -> float:
    return own if asked is None else asked
