"""Gives target crops the face of a finished model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from mien.errors import StageError
from mien.export.contract import (
    IN_FACE,
    IN_MORPH,
    OUT_SWAP,
    OUT_SWAP_MASK,
    OUT_TARGET_MASK,
    DfmFacts,
    read_facts,
)
from mien.stages import Context, Session, StageBase
from mien.types import Crop, CropSpec, FaceType, Swap

from . import Options

_log = logging.getLogger(__name__)


def open_file(options: Options, context: Context, file: Path) -> DfmSwap:
    """The stage of a file.  Raises InputError, which says what is wrong, where it is no DFM."""
    facts = read_facts(file)
    face_type = options.face_type or facts.face_type
    if face_type is None:
        face_type = FaceType.WHOLE
        _log.info(
            "%s does not say how much of the head it was trained on, so it gets crops of the "
            "whole face; say otherwise with --set model.dfm.face_type=full",
            file.name,
        )
    if options.morph != 1.0 and not facts.morphs:
        _log.info("%s cannot morph, so it shows all of the source", file.name)
    return DfmSwap(options, context, file, facts, face_type)


class DfmSwap(StageBase):
    """Target crops into swaps, with both masks."""

    def __init__(
        self, options: Options, context: Context, file: Path, facts: DfmFacts, face_type: FaceType
    ) -> None:
        self.spec = CropSpec(face_type=face_type, size=facts.size)
        self.batch_size = facts.batch or options.batch_size
        self._context, self._file, self._facts = context, file, facts
        self._morph = options.morph
        self._session: Session | None = None

    def open(self) -> None:
        """Load the net."""
        self._session = self._context.onnx(self._file)

    def close(self) -> None:
        """Give the net back."""
        self._session = None

    def __call__(self, batch: Sequence[Crop], /) -> list[Swap]:
        """One swap per crop, at the crop's own size and place."""
        return self._at(self._morph, batch)

    def tuned(self, batch: Sequence[Crop], options: Sequence[Options], /) -> list[Swap]:
        """One swap per crop, each morphed as far as its options say.

        A file takes one place for all: the whole batch is shown to it at each, so that a face's
        bits do not depend on where the others are.
        """
        morphs = [each.morph for each in options]
        made = {morph: self._at(morph, batch) for morph in dict.fromkeys(morphs)}
        return [made[morph][n] for n, morph in enumerate(morphs)]

    def _at(self, morph: float, batch: Sequence[Crop]) -> list[Swap]:
        if self._session is None:
            raise RuntimeError("the stage is not open")
        made: list[Swap] = []
        step = self._facts.batch or max(1, len(batch))
        for first in range(0, len(batch), step):
            made += self._some(self._session, batch[first : first + step], morph)
        return made

    def _some(self, session: Session, crops: Sequence[Crop], morph: float) -> list[Swap]:
        faces = np.stack([crop.image for crop in crops])  # (N, R, R, 3)
        if self._facts.batch > len(faces):  # the file takes so many and no fewer
            faces = np.concatenate([faces, faces[-1:].repeat(self._facts.batch - len(faces), 0)])
        feeds = {IN_FACE: faces}
        if self._facts.morphs:
            feeds[IN_MORPH] = np.array([morph], np.float32)
        given = session.run([OUT_SWAP, OUT_SWAP_MASK, OUT_TARGET_MASK], feeds)
        image, swap_mask, target_mask = (self._checked(part, faces.shape) for part in given)
        return [
            Swap(
                image=image[i],
                matrix=crop.matrix,
                face_type=crop.spec.face_type,
                masks=MappingProxyType({"swap": swap_mask[i], "target": target_mask[i]}),
            )
            for i, crop in enumerate(crops)
        ]

    def _checked(self, part: Any, fed: tuple[int, ...]) -> Any:
        """What the net gave, within 0..1.  Raises StageError where it is no picture."""
        values = np.asarray(part)
        if values.shape[:3] != fed[:3] or not np.isfinite(values).all():
            raise StageError(
                f"{self._file.name}: gave numbers of shape {values.shape} that are no picture"
            )
        return np.ascontiguousarray(values.clip(0, 1), np.float32)
