"""The aligner: a batch of detected faces in, 68 points of each out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mien.arrays import Image, Matrix
from mien.geometry import mirror, transform
from mien.stages import Context, ExportPlan, FaceQuery, Session, StageBase
from mien.types import Detection, Landmarks
from mien.weights import file_sha256
from numpy.typing import NDArray

from . import FILES, Options
from .crops import Square, View, box_square, exact, prepare, whole_pixels, whole_pixels_faceswap
from .decode import DECODERS, peaks

# DeepFaceLab's five squares, in frame pixels.
_OFFSETS = ((0, 0), (-1, -1), (1, -1), (1, 1), (-1, 1))
_LIFT = 0.12  # of the box's height, by face-alignment
# Which point of the mirrored face is which.
_MIRRORED = mirror(np.repeat(np.arange(68.0)[:, None], 2, axis=1), 0)[:, 1].astype(int)


class FanAligner(StageBase):
    """Finds the 68 points of detected faces, as floats in frame pixels.

    The score is the mean height of the heat maps' summits, cut to 0..1.
    """

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self._options, self._context = options, context
        self._hrnet = options.weights == "faceswap-hrnet"
        self._session: Session | None = None

    def open(self) -> None:
        """Load the net; the first time on a machine it is exported, which needs torch."""
        file = FILES[self._options.weights]
        digest = file.sha256
        if len(digest) < 64:
            digest = file_sha256(self._context.weights(file))
        graph = "hrnet 1" if self._hrnet else f"fan 1, {self._options.stacks} stacks"
        self._session = self._context.exported(f"{graph}, weights {digest}", self._plan)

    def _plan(self) -> ExportPlan:
        from .files import export_plan, load_fan, load_hrnet

        path = self._context.weights(FILES[self._options.weights])
        if self._hrnet:
            return export_plan(load_hrnet(path))
        return export_plan(load_fan(path, self._options.stacks))

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
        """The landmarks of each face; squares of one face go through the net together."""
        views = [view for query in batch for view in self._views(query)]
        if not views:
            return []
        points, heights = self._look(views)
        shape = (len(batch), self._options.samples)
        mean = points.reshape(*shape, 68, 2).mean(axis=1)
        scores = np.clip(heights.reshape(*shape, 68).mean(axis=(1, 2)), 0, 1).tolist()
        if self._options.decoder == "face-alignment":
            mean = np.trunc(mean)
        return [
            Landmarks(points=face, score=score)
            for face, score in zip(mean.astype(np.float32), scores, strict=True)
        ]

    def _views(self, query: FaceQuery) -> list[View]:
        """The crops of one face."""
        square = self._square(query.detection)
        image = query.frame.image
        offsets = _OFFSETS[: self._options.samples]
        return [self._crop(image, square.moved(dx, dy)) for dx, dy in offsets]

    def _square(self, detection: Detection) -> Square:
        x0, y0, x1, y1 = detection.box
        width, height = x1 - x0, y1 - y0
        kind = self._options.crop
        side = 200 * (width + height) / self._options.reference
        if kind == "faceswap":
            side = 0.8 * (width + height)
        if self._hrnet:
            side = 1.25 * max(width, height)
        lift = _LIFT if kind in ("exact", "face-alignment") and not self._hrnet else 0.0
        upright = kind == "exact" and self._options.upright
        return box_square(detection, side=side, lift=lift, upright=upright)

    def _crop(self, image: Image, square: Square) -> View:
        if self._options.crop == "exact":
            return exact(image, square)
        if self._options.crop == "faceswap":
            return whole_pixels_faceswap(image, square)
        return whole_pixels(image, square)

    def _look(self, views: Sequence[View]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Points (N, 68, 2) float64 in frame pixels, and the heights of their summits (N, 68)."""
        if self._session is None:
            raise RuntimeError("the aligner is called before open()")
        fed = np.stack([prepare(view.image) for view in views])
        if self._options.flip:
            fed = np.concatenate([fed, fed[..., ::-1]])
        (maps,) = self._session.run(None, {"image": np.ascontiguousarray(fed)})
        if self._options.flip:
            straight, mirrored = np.split(maps, 2)
            maps = straight + mirrored[:, _MIRRORED, :, ::-1]
        unit = DECODERS[self._options.decoder](maps).astype(np.float64)
        heights = peaks(maps)[2] / (2 if self._options.flip else 1)
        return np.stack([_place(v.matrix, p) for v, p in zip(views, unit, strict=True)]), heights


def _place(matrix: Matrix, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    points: NDArray[np.float64] = transform(matrix, unit)
    return points
