"""Gives target crops the source's face with a net that was exported once.

The stage of every model whose net takes a face and gives the swap, perhaps with its mask and the
target's.  torch is needed only until the net is exported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ...errors import InputError
from ...stages import Context, ExportPlan, Session, StageBase
from ...types import Crop, CropSpec, Swap
from ..checkpoint import Generation, open_generation
from .nets import check_net

OUTPUTS = ("image", "swap_mask", "target_mask")
"""What an exported net gives, in this order; without masks only the first."""
_EXPORT = 1
"""Raise it when an exported graph changes, so that caches of the old one are left alone."""


class NetSwap(StageBase):
    """Target crops into swaps.

    name     the model's, for messages and the cache;  config  its dataclass, what the weights fit
    build    the net of the generation, a torch module (N, 3, S, S) BGR 0..1 to the swap, or to the
             swap (N, 3, S, S), its mask and the target's (N, 1, S, S)
    masks    whether it gives masks
    extra    words that name whatever else `build` depends on
    """

    def __init__(
        self,
        name: str,
        config: Any,
        build: Callable[[Generation], Any],
        *,
        context: Context,
        generation: Path,
        spec: CropSpec,
        batch_size: int,
        masks: bool,
        extra: str = "",
    ) -> None:
        """Raises InputError where the generation is damaged or belongs to another net."""
        self.batch_size, self.spec = batch_size, spec
        self._name, self.config, self._build = name, config, build
        self._context, self._masks, self._extra = context, masks, extra
        self.generation = open_generation(generation)
        try:
            check_net(self.generation.facts, config, name)
        except InputError as error:
            raise InputError(f"generation '{generation}': {error}") from error
        self._session: Session | None = None

    def open(self) -> None:
        """Export the net if no earlier run did, and load it."""
        facts = [_EXPORT, asdict(self.config), self.generation.weights_sha256, self._extra]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
        self._session = self._context.exported(f"{self._name}-{digest}", self._plan)

    def close(self) -> None:
        """Give the net back."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Swap]:
        """One swap per crop, at the crop's own size and place."""
        return self.swaps(batch)

    def swaps(self, batch: Sequence[Crop], more: Mapping[str, Any] | None = None) -> list[Swap]:
        """One swap per crop.  more  arrays for further inputs of the net, by name"""
        if self._session is None:
            raise RuntimeError("the stage is not open")
        if not batch:
            return []
        faces = np.stack([crop.image for crop in batch]).transpose(0, 3, 1, 2)  # (N, 3, S, S)
        made = self._session.run(None, {"face": np.ascontiguousarray(faces), **(more or {})})
        image, *masks = [np.ascontiguousarray(part.transpose(0, 2, 3, 1)) for part in made]
        return [
            Swap(
                image=image[i],
                matrix=crop.matrix,
                face_type=crop.spec.face_type,
                masks=_named(masks, i),
            )
            for i, crop in enumerate(batch)
        ]

    def export_plan(self) -> ExportPlan:
        """The net as other programs get it; see ExportableStage."""
        return self._plan()

    def plan(self, net: Any, more: Mapping[str, Any] | None = None) -> ExportPlan:
        """How `net` is exported: what it takes and gives are this stage's.

        more  example tensors of further inputs, by name
        """
        import torch

        size, more = self.spec.size, more or {}
        faces = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
        return ExportPlan(
            module=net.eval(),
            inputs=(faces, *more.values()),
            input_names=("face", *more),
            output_names=OUTPUTS if self._masks else OUTPUTS[:1],
            dynamic={"face": {0: "batch"}},
        )

    def _plan(self) -> ExportPlan:
        """The net as `open` exports it."""
        return self.plan(self._build(self.generation))


def _named(masks: Sequence[Any], index: int) -> Mapping[str, Any]:
    pairs = zip(("swap", "target"), masks, strict=False)
    return MappingProxyType({name: mask[index] for name, mask in pairs})
