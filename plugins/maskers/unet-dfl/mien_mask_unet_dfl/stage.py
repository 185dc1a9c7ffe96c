"""The masker: a batch of crops in, a mask of each out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from mien.arrays import Mask
from mien.errors import WeightsError
from mien.stages import Context, ExportPlan, Session, StageBase
from mien.types import Crop, CropSpec

from . import PUBLISHED, Options

SIDE = 256


class UNetMasker(StageBase):
    """Says how surely each pixel of a crop is face."""

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        self.spec = CropSpec(face_type=options.face_type, size=SIDE, order="bgr")
        self._options, self._context = options, context
        self._session: Session | None = None

    def open(self) -> None:
        """Open the net; the first time on a machine it is exported, which needs torch."""
        path = self._options.file or self._context.weights(PUBLISHED)
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error

        def build() -> ExportPlan:
            from .files import export_plan, load_net

            return export_plan(load_net(path))

        self._session = self._context.exported(f"unet-dfl 1, weights {digest}", build)

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Mask]:
        """Masks (256, 256, 1) float32 0..1, in order."""
        if self._session is None:
            raise RuntimeError("the masker is called before open()")
        if not batch:
            return []
        fed = np.stack([crop.image for crop in batch]).transpose(0, 3, 1, 2)
        (masks,) = self._session.run(None, {"image": np.ascontiguousarray(fed)})
        # Half precision may leave 0..1 by a rounding.
        return list(np.clip(masks.transpose(0, 2, 3, 1), 0, 1).astype(np.float32, copy=False))
