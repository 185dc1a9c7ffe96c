"""The detector: batches of frames in, boxes and five points out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from mien.arrays import Image, full_scale
from mien.stages import Context, ExportPlan, Session, StageBase, WeightFile
from mien.types import Detection, Frame
from numpy.typing import NDArray

from . import ONE_MB, PYTORCH, Options
from .decode import Floats, MinSizes, decode_boxes, decode_points, make_priors, suppress

if TYPE_CHECKING:
    from .net import RetinaFace

MEAN_BGR = np.array([104, 117, 123], np.float32)
# A face above about 256 px breaks into several; halving the picture down to this heals it.
COARSEST = 320
# Faces below this side are looked for in a picture, larger ones in the next coarser picture.
# On 27 clips that leaves 2 false boxes in 1000 frames, where one picture alone gives 99.
FINE_BELOW = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A published checkpoint and the graph it belongs to.

    Both files have the same keys, shapes and size, and load into either graph without an error;
    in the wrong one they find twice as many faces.  Only the hash tells which graph is right.
    """

    file: WeightFile
    slope: float
    min_sizes: MinSizes


VARIANTS = {
    "1mb": Variant(file=ONE_MB, slope=0.0, min_sizes=((10, 20), (32, 64), (128, 256))),
    "pytorch": Variant(file=PYTORCH, slope=0.1, min_sizes=((16, 32), (64, 128), (256, 512))),
}


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What may be faces, in frame pixels: boxes (K, 4), scores (K,), points (K, 5, 2)."""

    boxes: Floats
    scores: Floats
    points: Floats

    def pick(self, which: Any) -> Candidates:
        """Those of an index array, in its order."""
        return Candidates(self.boxes[which], self.scores[which], self.points[which])


class RetinaFaceDetector(StageBase):
    """Finds faces; boxes and points are floats in frame pixels, the surest face first."""

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self._options, self._context = options, context
        self._variant = VARIANTS[options.weights]
        self._session: Session | None = None

    def open(self) -> None:
        """Open the net; the first time on a machine it is exported, which needs torch."""
        context, variant = self._context, self._variant
        self._session = context.exported(
            f"retinaface 1, slope {variant.slope}, weights {variant.file.sha256}",
            lambda: export_plan(context.weights(variant.file), variant.slope),
        )

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
        for long_side, below in self._plan(max(height, width)):
            scale = long_side / max(height, width)
            size = max(1, round(width * scale)), max(1, round(height * scale))
            levels.append(
                [self._reduce(found, scale, below) for found in self._run(images, size, scale)]
            )
        return [_join(found) for found in zip(*levels, strict=True)]

    def _plan(self, own: int) -> list[tuple[float, float]]:
        """Long sides to look at, each with the face side (in it) at which the next takes over."""
        side: float = min(self._options.size or own, own)
        sides = [side]
        while self._options.pyramid and side > COARSEST:
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
        fed = np.stack([prepare(image, size) for image in images])
        offsets, classes, moves = self._session.run(None, {"image": fed})
        priors = make_priors(size[1], size[0], self._variant.min_sizes)
        to_frame = np.array(size, np.float32) / np.float32(scale)
        found = []
        for place in range(len(images)):
            scores = classes[place, :, 1]
            which = np.flatnonzero(scores >= self._options.threshold)
            boxes = decode_boxes(offsets[place, which], priors[which]) * np.tile(to_frame, 2)
            points = decode_points(moves[place, which], priors[which]) * to_frame
            found.append(Candidates(boxes, scores[which], points))
        return found

    def _reduce(self, found: Candidates, scale: float, below: float) -> Candidates:
        """Without the candidates that a coarser level judges better."""
        if below == np.inf:
            return found
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) * scale
        return found.pick(np.flatnonzero(sides < below))

    def _detections(self, found: Candidates) -> tuple[Detection, ...]:
        options = self._options
        found = found.pick(np.argsort(found.scores, kind="stable")[-options.top_k :])
        kept = suppress(found.boxes, found.scores, options.nms, plus_one=options.plus_one)
        found = found.pick(kept[: options.keep])
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1, initial=np.inf)
        found = found.pick(np.flatnonzero(sides >= options.min_face)[: options.max_faces or None])
        return tuple(
            Detection(box=(x0, y0, x1, y1), score=score, points5=points)
            for (x0, y0, x1, y1), score, points in zip(
                found.boxes.tolist(), found.scores.tolist(), found.points, strict=True
            )
        )


def prepare(image: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """The picture as the net wants it: (3, H, W) BGR 0..255 less the mean; size (width, height).

    Shrinks by true area averages; bilinear would alias a 4K plate.
    """
    if image.dtype == np.float32:  # a float plate may hold highlights above 1, and holes
        image = np.clip(np.nan_to_num(image), 0, 1)
    if size != (image.shape[1], image.shape[0]):
        shrinks = size[0] < image.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=how)
    scaled = np.multiply(image, np.float32(255 / full_scale(image.dtype)), dtype=np.float32)
    return np.ascontiguousarray((scaled - MEAN_BGR).transpose(2, 0, 1))


def export_plan(path: Path, slope: float) -> ExportPlan:
    """How the net with the weights of `path` becomes ONNX: any batch, height and width."""
    import torch

    example = torch.zeros(2, 3, 96, 160)
    return ExportPlan(
        module=load_net(path, slope),
        inputs=(example,),
        input_names=("image",),
        output_names=("boxes", "classes", "points"),
        dynamic={"image": {0: "batch", 2: "height", 3: "width"}},
    )


def load_net(path: Path, slope: float) -> RetinaFace:
    """The torch net with published weights.  Raises WeightsError where they are of another net."""
    import torch
    from mien.errors import WeightsError

    from .net import NetConfig, RetinaFace

    weights = torch.load(path, map_location="cpu", weights_only=True)
    named = {key.removeprefix("module."): value for key, value in weights.items()}
    net = RetinaFace(NetConfig(slope=slope))
    try:
        net.load_state_dict(named, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{path}: not the weights of RetinaFace MobileNet-0.25") from error
    return net.eval()


def _join(levels: Sequence[Candidates]) -> Candidates:
    return Candidates(
        np.concatenate([found.boxes for found in levels]),
        np.concatenate([found.scores for found in levels]),
        np.concatenate([found.points for found in levels]),
    )
