"""The ``[train]`` table of the configuration: what the loop may be told, whatever the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """How long to learn, from what, and what to keep."""

    iterations: int = option(
        100_000, "Train until the model has this many iterations; 0 for no end", ge=0
    )
    minutes: float = option(0.0, "Stop after this time; 0 for no limit", unit="minutes", ge=0)
    batch_size: int = option(16, "Faces of each person in one iteration", ge=1, le=1024)

    save_every: int = option(
        250, "Save after this many iterations; 0 to save by time only", unit="iterations", ge=0
    )
    save_minutes: float = option(
        10.0, "Save at least this often; 0 to save by iterations only", unit="minutes", ge=0
    )
    keep: int = option(2, "Saved generations to keep; older ones go", ge=1)
    snapshot_every: int = option(
        0, "Keep a generation for good after this many iterations; 0 for none", ge=0
    )
    preview_every: int = option(
        250, "Write a preview sheet after this many iterations; 0 for none", ge=0
    )
    preview_rows: int = option(6, "Faces on a preview sheet", ge=1, le=64)

    deterministic: bool = option(
        False, "Repeat bit for bit on the same machine, where that costs speed"
    )
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "Number format of the nets; auto takes bf16 on a GPU that is good at it"
    )
    memory: int = option(1024, "Memory for decoded faces of each person", unit="MB", ge=1)
    mask: str = option(
        "", "Stored mask to learn with; empty takes the first one, else the landmarks' hull"
    )

    flip: float = option(0.5, "Chance that a face is mirrored", ge=0, le=1)
    rotation: float = option(10.0, "Largest random turn", unit="degrees", ge=0, le=180)
    zoom: float = option(0.05, "Largest random change of size", ge=0, le=0.5)
    shift: float = option(0.05, "Largest random shift, of the crop's side", ge=0, le=0.5)
    warp: float = option(
        1.0, "Strength of the random warp that the net has to undo; 0 for none", ge=0, le=4
    )
    color: float = option(
        1.0, "Strength of random light, saturation and tint; 0 for none", ge=0, le=2
    )
