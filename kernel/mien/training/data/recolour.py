"""Source faces in the colours of target faces, through an installed colour transfer.

A transfer works on single pictures and may take a second for one, so a recoloured face is kept and
shown for several rounds.  A face is recoloured when it is first asked for and then every few
rounds, not all of them in the same one: a batch costs a few transfers at most, and they run while
the net learns from the batch before.  Which target face lends its colours depends on the seed, the
face and the round alone.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import Image, Mask, as_dtype, as_float
from ...errors import ConfigError, MienError, StageError
from ...stages import ColorPair, ColorTransferStage, Context, Neighbours
from .dataset import FaceCache

PICTURE = 3
"""Bytes a pixel that the recoloured faces take."""


def no_transfer(name: str) -> ColorTransferStage:
    """For callers that know no plugins.  Raises ConfigError."""
    raise ConfigError(f"train.color_transfer: '{name}' is asked for, but no plugin was given")


class Recolour:
    """The recoloured faces of the source."""

    def __init__(
        self,
        stage: ColorTransferStage,
        source: FaceCache,
        target: FaceCache,
        context: Context,
        rounds: int,
    ) -> None:
        """rounds  through the source faces after which a face gets other colours"""
        self._stage, self._context, self._rounds = stage, context, rounds
        self._source, self._target = source.faces, target.faces
        self._paths = source.paths
        self._made = torch.empty_like(self._source[:, :PICTURE])
        self._versions = np.full(len(source), -1)
        self._open = False

    def faces(self, rows: Sequence[int], round_: int) -> Tensor:
        """The faces (N, 5, S, S) of these rows as a round of the source shows them.

        Raises StageError where the plugin fails.
        """
        faces = self._source[torch.tensor(rows)]
        for place, row in enumerate(rows):
            version = (round_ + row) // self._rounds
            if self._versions[row] != version:
                self._made[row] = self._make(row, version)
                self._versions[row] = version
            faces[place, :PICTURE] = self._made[row]
        return faces

    def close(self) -> None:
        """Give back what the plugin holds."""
        if self._open:
            self._stage.close()
            self._open = False

    def _make(self, row: int, version: int) -> Tensor:
        other = int(self._context.rng("recolour", row, version).integers(len(self._target)))
        face, mask = _picture(self._source[row])
        plate, other_mask = _picture(self._target[other])
        both = mask * other_mask
        area = both if both.any() else np.ones_like(both)
        pair = ColorPair(swap=face, plate=plate, area=area, frame_index=row)
        item: Any = Neighbours(item=pair) if any(self._stage.window) else pair
        try:
            if not self._open:
                self._stage.open()
                self._open = True
            # One at a time: a batch of others would change the last bits of the answer.
            (result,) = self._stage([item])
        except MienError:
            raise
        except Exception as error:
            raise StageError(
                f"color transfer failed on '{self._paths[row]}': {error}", stage="color"
            ) from error
        return torch.from_numpy(as_dtype(result, np.uint8).transpose(2, 0, 1).copy())


def _picture(face: Tensor) -> tuple[Image, Mask]:
    """A cached face as plugins see it: picture (S, S, 3) and mask (S, S, 1), float32 0..1."""
    values = as_float(np.ascontiguousarray(face[:4].permute(1, 2, 0).numpy()))
    return np.ascontiguousarray(values[..., :PICTURE]), np.ascontiguousarray(values[..., PICTURE:])
