"""The part of the ``[train]`` table that says what a training shows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import option
from .options_data import DataOptions

REQUEST = "preview.now"
"""A file of this name in the model's folder asks for a sheet; it is taken away when it is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions(DataOptions):
    """Sheets, curves and figures beside the model."""

    preview_every: int = option(
        250, "Write a preview sheet after this many iterations; 0 for none", ge=0
    )
    preview_rows: int = option(6, "Faces on a preview sheet", ge=1, le=64)
    preview_faces: Literal["same", "random"] = option(
        "same", "Faces on the sheets: the same ones all the time, or others on every sheet"
    )
    preview_width: int = option(
        1920, "Widest preview sheet; large faces are made smaller", unit="pixels", ge=256, le=16384
    )
    preview_history: int = option(
        2500, "Keep a sheet for good after this many iterations; 0 for none", ge=0
    )

    timelapse_source: Path | None = option(
        None, "Faceset of the source's person to watch; needs timelapse_target"
    )
    timelapse_target: Path | None = option(
        None, "Faceset of the target's person to watch; needs timelapse_source"
    )
    timelapse_every: int = option(
        0, "Write a sheet of the watched faces after this many iterations; 0 at every save", ge=0
    )

    held_out: float = option(
        0.03,
        "Faces of each person to measure with and never learn from: a share (below 1; nothing is "
        "held out of small facesets) or a number",
        ge=0,
    )
    held_out_every: int = option(500, "Measure after this many iterations; 0 for never", ge=0)
    held_out_aligner: str = option(
        "auto", "Aligner that compares the swap's landmarks with the target's; auto or none"
    )
    held_out_embedder: str = option(
        "auto", "Embedder that compares the swap with the source's person; auto or none"
    )

    tensorboard: Literal["auto", "on", "off"] = option(
        "auto", "Write files for TensorBoard; auto where it is installed"
    )
    tensorboard_every: int = option(
        10, "Iterations that make one point of TensorBoard's curves", ge=1
    )
