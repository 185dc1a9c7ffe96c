"""The masker: batches of crops in, masks out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mien.arrays import Mask
from mien.stages import Context, ExportPlan, Session, StageBase
from mien.types import Crop, CropSpec, FaceType
from mien.weights import file_sha256

from . import Options
from .files import find_model, load_net, trained_face_type, trained_shape

SIZE = 256


class XSegMasker(StageBase):
    """Says which pixels are face, as a model says that its user trained."""

    def __init__(self, options: Options, context: Context) -> None:
        self.batch_size = options.batch_size
        kind = options.face_type or trained_face_type(options.model) or FaceType.WHOLE
        self._shape = trained_shape(options.model)
        self.spec = CropSpec(face_type=kind, size=self._shape[0])
        self._options, self._context = options, context
        self._session: Session | None = None
        self._is_dfl_export = False

    def open(self) -> None:
        """Open the model; the first time it is exported, which needs torch."""
        path = find_model(self._options.model)
        self._is_dfl_export = path.suffix == ".onnx"
        if self._is_dfl_export:
            self._session = self._context.onnx(path)
        else:
            key = f"xseg 1, weights {file_sha256(path)}"
            self._session = self._context.exported(key, lambda: export_plan(path, *self._shape))

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Mask]:
        """Masks (S, S, 1) float32 0..1, in order."""
        return self.tuned(batch, [self._options] * len(batch))

    def tuned(self, batch: Sequence[Crop], options: Sequence[Options], /) -> list[Mask]:
        """The same masks, each with its own `floor`."""
        if not batch:
            return []
        if self._session is None:
            raise RuntimeError("the masker is called before open()")
        images = np.stack([crop.image for crop in batch])  # (N, S, S, 3)
        if self._is_dfl_export:  # channels last, both ways
            (masks,) = self._session.run(None, {"in_face:0": images})
        else:
            fed = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
            (found,) = self._session.run(None, {"image": fed})
            masks = found.transpose(0, 2, 3, 1)
        return [_clean(mask, each.floor) for mask, each in zip(masks, options, strict=True)]


def _clean(mask: Any, floor: float) -> Mask:
    clipped = np.clip(mask, 0, 1, dtype=np.float32)
    clipped[clipped < floor] = 0
    result: Mask = np.ascontiguousarray(clipped)
    return result


def export_plan(path: Path, size: int = SIZE, base: int = 32) -> ExportPlan:
    """How the net with the weights of `path` becomes ONNX: any batch, masks instead of logits."""
    import torch

    from .net import NetConfig

    net = load_net(path, NetConfig(base=base, size=size))
    return ExportPlan(
        module=torch.nn.Sequential(net, torch.nn.Sigmoid()).eval(),
        inputs=(torch.zeros(2, 3, size, size),),
        input_names=("image",),
        output_names=("mask",),
        dynamic={"image": {0: "batch"}},
    )
