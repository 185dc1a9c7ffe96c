"""The colour transfer `sot`: sliced optimal transport of colours, evened out over neighbours."""

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
        "quick", "On a grid of about 4000 pixels, or step by step as DeepFaceLab does"
    )
    steps: int = option(10, "Steps towards the plate's colours", ge=1, le=100)
    batch: int = option(6, "Lines through colour space in a step", ge=1, le=200)
    soften: float = option(16.0, "How far the moves of pixels are evened out", unit="pixels", ge=1)
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2 or numpy."""
    from .stage import Sot

    return Sot(options, context)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="sot",
        summary="Match the whole distribution of colours, evenly",
        options=Options,
        create=create,
    )
