"""The colour transfer `idt`: iterative distribution transfer (Pitié, Kokaram and Dahyot 2007)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import ColorTransferProvider, ColorTransferStage, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    statistics: Literal["area", "crop", "dfl"] = option(
        "area",
        "What is measured: the area where the face is seen, the whole crop, or the area as "
        "DeepFaceLab does, the rest counted as black",
    )
    form: Literal["quick", "dfl"] = option(
        "quick", "In few rounds with exact curves, or step by step as DeepFaceLab does"
    )
    rounds: int = option(4, "Rotations of colour space; only in the quick form", ge=1, le=100)
    pull: float = option(
        0.5, "Part of the way that a round goes; only in the quick form", gt=0, le=1
    )
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2 or numpy."""
    from .stage import Idt

    return Idt(options, context)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="idt",
        summary="Match the whole distribution of colours, pixel by pixel",
        options=Options,
        create=create,
    )
