"""The part of the ``[train]`` table that says from what a model learns, and how it is varied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Facesets in memory, and what happens to a face before a net sees it."""

    memory: int = option(1024, "Memory for decoded faces of each person", unit="MB", ge=1)
    mask: str = option(
        "", "Stored mask to learn with; empty takes the first one, else the landmarks' hull"
    )
    uniform_yaw: bool = option(
        False, "Show faces that look left, ahead and right equally often, however many there are"
    )
    prefetch: bool = option(True, "Prepare the next batch while the nets learn from this one")

    flip_source: float = option(
        0.0, "Chance that a source face is mirrored; for a source that lacks angles", ge=0, le=1
    )
    flip_target: float = option(0.5, "Chance that a target face is mirrored", ge=0, le=1)
    rotation: float = option(10.0, "Largest random turn", unit="degrees", ge=0, le=180)
    zoom: float = option(0.05, "Largest random change of size", ge=0, le=0.5)
    shift: float = option(0.05, "Largest random shift, of the crop's side", ge=0, le=0.5)
    warp: float = option(
        1.0, "Strength of the random warp that the net has to undo; 0 for none", ge=0, le=4
    )
    warp_kind: Literal["grid", "dfl", "landmarks"] = option(
        "grid",
        "How it is warped: by a grid of 5 x 5 points, by DeepFaceLab's grids of three sizes, or "
        "towards the landmarks of a similar face of the other person",
    )

    color: float = option(
        1.0, "Strength of random light, saturation and tint; 0 for none", ge=0, le=2
    )
    hsv_power: float = option(
        0.0,
        "Random hue, saturation and value of what the net sees of the source, and not of what it "
        "shall give back; 0 for none",
        ge=0,
        le=0.3,
    )
    lab_light: float = option(
        0.0, "Largest random change of L*a*b* lightness, as faceswap does; 0 for none", ge=0, le=1
    )
    lab_color: float = option(
        0.0, "Largest random change of L*a*b* a and b, as faceswap does; 0 for none", ge=0, le=1
    )
    clahe: float = option(
        0.0, "Chance that a face's contrast is evened out in places (CLAHE)", ge=0, le=1
    )
    clahe_size: int = option(
        4, "Steps by which the places of CLAHE may be smaller than the largest", ge=0, le=8
    )
    color_transfer: str = option(
        "",
        "Colour transfer plugin that gives source faces the colours of random target faces; "
        "empty for none",
    )
    color_rounds: int = option(
        8,
        "Rounds through the source faces after which a face takes its colours from another "
        "target face; more for slow transfers",
        ge=1,
    )
