"""The ``[find]`` table: which faces of a frame are found, and how carefully."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class FindOptions:
    """How faces are looked for, whatever detector and aligner do it."""

    detect_every: int = option(
        4,
        "Detect in every Nth frame; in those between, faces follow from the two around them, "
        "unless the picture shows what neither of them does; 1 detects in every frame",
        unit="frames",
        ge=1,
        le=16,
    )
    rotations: tuple[int, ...] = option(
        (0,), "Turn the frame by each of these angles in its turn, clockwise", unit="degrees"
    )
    rotate: Literal["until-found", "all"] = option(
        "until-found", "Stop at the first angle that shows a face, or join the finds of all angles"
    )
    min_score: float = option(
        0.0, "Leave out faces with a lower score, whatever the detector's own threshold", ge=0, le=1
    )
    min_face: float = option(
        0.0, "Leave out faces whose box is narrower or lower", unit="pixels", ge=0
    )
    max_face: float = option(
        0.0, "Leave out faces whose box is wider or higher; 0 sets no limit", unit="pixels", ge=0
    )
    max_faces: int = option(0, "Keep the first N faces of a frame; 0 keeps all", ge=0)
    order: Literal["largest", "surest", "left", "centre"] = option(
        "largest", "Which face of a frame comes first"
    )
    overlap: float = option(
        0.4,
        "Boxes of several detectors or angles that share more than this are one face",
        ge=0,
        le=1,
    )
    normalise: Literal["none", "mean", "hist", "clahe"] = option(
        "none", "Even out the light of what the aligner sees"
    )
    re_feed: int = option(
        0, "Align N times more, in slightly moved boxes, and take the mean", ge=0, le=32
    )
    re_align: bool = option(False, "Align a second time, on the face made upright")
    max_oddness: float = option(
        0.0,
        "Leave out faces whose points lie further than this from the mean face, as part of its "
        "width; 0.4 leaves out what is no face, 0 keeps all",
        ge=0,
    )
    max_roll: float = option(
        0.0,
        "Leave out heads that lean further than this; 0 sets no limit",
        unit="degrees",
        ge=0,
        le=180,
    )
    same_person: float = option(
        0.6, "Likeness (cosine) from which two faces are the same person", ge=-1, le=1
    )
    keep: tuple[Path, ...] = option(
        (), "Pictures or folders of the people whose faces are wanted; needs an embedder"
    )
    drop: tuple[Path, ...] = option(
        (), "Pictures or folders of people whose faces are left out; needs an embedder"
    )
    tracks: bool = option(True, "Follow each person through a shot")
    cut: float = option(
        0.12, "Change between two frames from which a new shot begins", ge=0.01, le=1
    )
    smooth: int = option(
        0,
        "Steady the points over N frames before and after; 0 leaves them",
        unit="frames",
        ge=0,
        le=60,
    )
