"""What a net of two people makes of a batch, and how that is shown."""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...arrays import Image
from ..base import TrainBatch
from ..show.preview import pictures


class FaceDecoder(Protocol):
    """Gives a face (N, 3, S, S) and its mask (N, 1, S, S) for a code."""

    def __call__(self, code: Tensor, /) -> tuple[Tensor, Tensor]:
        """Both."""
        ...

    def face(self, code: Tensor) -> Tensor:
        """The face alone."""
        ...


class TwoPeopleNet(Protocol):
    """One encoder; a code for each person; a decoder for each code, which may be the same."""

    @property
    def encoder(self) -> torch.nn.Module:
        """(N, 3, S, S) to (N, E)."""
        ...

    @property
    def source_decoder(self) -> FaceDecoder:
        """Shows the source."""
        ...

    @property
    def target_decoder(self) -> FaceDecoder:
        """Shows the target."""
        ...

    def source_code(self, encoded: Tensor) -> Tensor:
        """What `source_decoder` needs; of a target's face it makes the swap."""
        ...

    def both_codes(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """The swap's code and the target's own."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """Both faces given back, and the codes: of the source, of the target, of the swap."""

    source: Tensor
    source_mask: Tensor
    target: Tensor
    target_mask: Tensor
    source_code: Tensor
    target_code: Tensor
    swap_code: Tensor


def make(net: TwoPeopleNet, batch: TrainBatch) -> Made:
    """Both people through the net; one pass through the encoder."""
    seen = torch.cat((batch.source.warped, batch.target.warped))
    source, target = net.encoder(seen).split((len(batch.source.warped), len(batch.target.warped)))
    source_code = net.source_code(source)
    swap_code, target_code = net.both_codes(target)
    face, mask = net.source_decoder(source_code)
    other, other_mask = net.target_decoder(target_code)
    return Made(
        source=face,
        source_mask=mask,
        target=other,
        target_mask=other_mask,
        source_code=source_code,
        target_code=target_code,
        swap_code=swap_code,
    )


def show(net: TwoPeopleNet, batch: TrainBatch) -> Mapping[str, list[Image]]:
    """Each person, what the net makes of them, the swap without and with its masks, the masks."""
    with torch.inference_mode():
        made = make(net, batch)
        swap, swap_mask = net.source_decoder(made.swap_code)
        columns = {
            "source": batch.source.face,
            "source again": made.source,
            "target": batch.target.face,
            "target again": made.target,
            "swap": swap,
            "masked": swap * swap_mask * made.target_mask,
            "target mask": made.target_mask.expand_as(swap),
            "swap mask": swap_mask.expand_as(swap),
        }
    return {title: pictures(faces) for title, faces in columns.items()}
