"""The masker: batches of crops in, masks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mien.arrays import Mask
from mien.errors import WeightsError
from mien.stages import Context, ExportPlan, Session, StageBase, WeightFile
from mien.types import Crop, CropSpec
from mien.weights import file_sha256
from numpy.typing import NDArray

from . import Options
from .config import NetConfig

MEAN_BGR = np.array([104.00698793, 116.66876762, 122.67891434], np.float32)
CLEAR_NET = NetConfig(name="VGG-clear", size=300, classes=2, face=1)
OBSTRUCTED_NET = NetConfig(name="VGG-obstructed", size=500, classes=21, face=-1)


class VggMasker(StageBase):
    """Says how probably each pixel is face."""

    def __init__(
        self, options: Options, context: Context, net: NetConfig, published: Sequence[WeightFile]
    ) -> None:
        self.batch_size = options.batch_size
        self.spec = CropSpec(face_type=options.face_type, size=net.size, high=255)
        self._options, self._context, self._published = options, context, published
        self._net = replace(net, parity=options.parity)
        self._session: Session | None = None

    def open(self) -> None:
        """Open the net; the first time on a machine it is exported, which needs torch."""
        path = self._options.file or self._find()
        key = f"vgg 1, {self._net}, weights {file_sha256(path)}"
        self._session = self._context.exported(key, lambda: export_plan(path, self._net))

    def close(self) -> None:
        """Let the session go."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Mask]:
        """Masks (S, S, 1) float32 0..1, in order."""
        if not batch:
            return []
        if self._session is None:
            raise RuntimeError("the masker is called before open()")
        fed = np.stack([prepare(crop.image, own_mean=self._options.parity) for crop in batch])
        (found,) = self._session.run(None, {"image": fed})  # (N, 1, S, S)
        masks = np.clip(found, 0, 1, dtype=np.float32).transpose(0, 2, 3, 1)
        return [np.ascontiguousarray(mask) for mask in masks]

    def _find(self) -> Path:
        """The first of the published files that is on this machine; any of them will do.

        Raises WeightsError with the way to the first of them where none is.
        """
        problems = []
        for file in self._published:
            try:
                return self._context.weights(file)
            except WeightsError as error:
                problems.append(error)
        others = ", ".join(f"'{file.name}'" for file in self._published[1:])
        raise WeightsError(f"{problems[0]}; {others} will do as well") from problems[0]


def prepare(image: NDArray[Any], *, own_mean: bool = False) -> NDArray[np.float32]:
    """A crop (S, S, 3) BGR 0..255 as the net wants it: (3, S, S), less the mean.

    own_mean  the crop's own mean of each channel, as faceswap takes it, which makes the mask depend
              on what else is in the crop
    """
    mean = image.mean(axis=(0, 1), dtype=np.float64).astype(np.float32) if own_mean else MEAN_BGR
    return np.ascontiguousarray((image - mean).transpose(2, 0, 1))


def export_plan(path: Path, config: NetConfig) -> ExportPlan:
    """How the net with the weights of `path` becomes ONNX: any batch."""
    import torch

    from .files import load_net

    return ExportPlan(
        module=load_net(path, config),
        inputs=(torch.zeros(2, 3, config.size, config.size),),
        input_names=("image",),
        output_names=("mask",),
        dynamic={"image": {0: "batch"}},
    )
