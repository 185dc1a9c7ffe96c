"""Gives target crops the source's face; torch is needed only until the net is exported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import numpy as np
from mien.errors import InputError
from mien.stages import Context, ExportPlan, Session, StageBase
from mien.training.checkpoint import Generation, open_generation
from mien.types import Crop, CropSpec, Swap

from . import Options
from .config import NetConfig, check_net, config_of

_EXPORT = 1
"""Raise it when the exported graph changes, so that caches of the old one are left alone."""


class OriginalSwap(StageBase):
    """The source's decoder on what the encoder sees in the target; masks if they were learned."""

    def __init__(self, options: Options, context: Context, generation: Path) -> None:
        """Raises InputError where the generation is damaged or belongs to another net."""
        self.batch_size = options.batch_size
        self.spec = CropSpec(face_type=options.face_type, size=options.size)
        self._context = context
        self._config = config_of(options)
        self._generation = open_generation(generation)
        try:
            check_net(self._generation.facts, self._config)
        except InputError as error:
            raise InputError(f"generation '{generation}': {error}") from error
        self._session: Session | None = None

    def open(self) -> None:
        """Export the net if no earlier run did, and load it."""
        facts = [_EXPORT, asdict(self._config), self._generation.weights_sha256]
        key = f"original-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}"
        self._session = self._context.exported(
            key, lambda: _export_plan(self._config, self._generation)
        )

    def close(self) -> None:
        """Give the net back."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Swap]:
        """One swap per crop, at the crop's own size and place."""
        if self._session is None:
            raise RuntimeError("the stage is not open")
        if not batch:
            return []
        faces = np.stack([crop.image for crop in batch]).transpose(0, 3, 1, 2)  # (N, 3, S, S)
        made = self._session.run(None, {"face": np.ascontiguousarray(faces)})
        image, *masks = [np.ascontiguousarray(part.transpose(0, 2, 3, 1)) for part in made]
        return [
            Swap(
                image=image[i],
                matrix=crop.matrix,
                face_type=crop.spec.face_type,
                masks=MappingProxyType(
                    {n: m[i] for n, m in zip(("swap", "target"), masks, strict=False)}
                ),
            )
            for i, crop in enumerate(batch)
        ]


def _export_plan(config: NetConfig, generation: Generation) -> ExportPlan:
    import torch
    from mien.training.state import load_weights

    from .net import SwapNet, build

    net = build(config)
    load_weights(net, generation.weights())
    names = ("image", "swap_mask", "target_mask") if config.learn_mask else ("image",)
    return ExportPlan(
        module=SwapNet(net).eval(),
        inputs=(torch.rand(2, 3, config.size, config.size),),
        input_names=("face",),
        output_names=names,
        dynamic={"face": {0: "batch"}},
    )
