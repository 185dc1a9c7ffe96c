"""The masker: a batch of crops in, a mask of each out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from mien.arrays import Mask
from mien.errors import WeightsError
from mien.stages import Context, ExportPlan, Session, StageBase
from mien.types import Crop, CropSpec, FaceType

from . import CELEBAMASK, FACESWAP_FACE, FACESWAP_HEAD, FACESWAP_ORIGINAL, SMALL, Options
from .classes import BY_COUNT, CELEBA, FACESWAP, Numbers, choose, shows_around
from .classes import SMALL as SMALL_CLASSES
from .masks import hard_mask, soft_mask

PUBLISHED = {
    "celebamask": (CELEBAMASK, CELEBA),
    "faceswap-original": (FACESWAP_ORIGINAL, CELEBA),
    "faceswap-head": (FACESWAP_HEAD, FACESWAP),
    "faceswap-face": (FACESWAP_FACE, FACESWAP),
}
SMALL_SIDE, PUBLISHED_SIDE = 256, 512


class BiSeNetMasker(StageBase):
    """Says which pixels of a crop are of the chosen classes."""

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self._options, self._context = options, context
        self._session: Session | None = None
        self._small = options.file is None and options.weights == "mien"
        if options.file is None:  # a typing error must show before the frames are read
            self._choose(SMALL_CLASSES if self._small else PUBLISHED[options.weights][1])
        self.spec = CropSpec(
            face_type=options.face_type or _usual_type(options),
            size=options.size or (SMALL_SIDE if self._small else PUBLISHED_SIDE),
            order="rgb",
        )

    def open(self) -> None:
        """Open the net; a published one is exported the first time, which needs torch."""
        if self._small:
            self._session = self._context.onnx(SMALL)
            return
        path = self._options.file or self._context.weights(PUBLISHED[self._options.weights][0])
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error

        def build() -> ExportPlan:
            from .files import export_plan

            return export_plan(path)

        self._session = self._context.exported(f"bisenet 1, weights {digest}", build)

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Mask]:
        """Masks (S, S, 1) float32 0..1, in order."""
        if self._session is None:
            raise RuntimeError("the masker is called before open()")
        if not batch:
            return []
        fed = np.stack([crop.image for crop in batch]).transpose(0, 3, 1, 2)
        (scores,) = self._session.run(None, {"image": np.ascontiguousarray(fed)})
        chosen = self._choose(BY_COUNT[scores.shape[1]])
        make = soft_mask if self._options.soft else hard_mask
        masks = make(scores, np.array(chosen), self.spec.size)
        return list(masks[..., None])

    def _choose(self, table: Numbers) -> tuple[bool, ...]:
        options = self._options
        return choose(options.classes, table, str(options.file or options.weights))


def _usual_type(options: Options) -> FaceType:
    """What a net was trained to see."""
    head = options.weights == "faceswap-head" and options.file is None
    return FaceType.HEAD if head or shows_around(options.classes) else FaceType.WHOLE
