"""The colour transfer `steady`: light and contrast of the plate, from the frames around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import ColorTransferProvider, ColorTransferStage, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    frames: int = option(
        6, "Frames before, and as many after, over which colours are steadied", ge=0, le=50
    )
    change: float = option(
        4.0, "A change of light this large between frames is followed", unit="Lab units", gt=0
    )
    erode: float = option(
        3.0, "How far from the area's edge pixels count", unit="per cent of the crop", ge=0, le=25
    )
    contrast: bool = option(True, "Match the spread of colours, too, not their place alone")
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2."""
    from .stage import Steady

    return Steady(options)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="steady",
        summary="Match light and contrast steadily in time, past whatever hides the face",
        options=Options,
        create=create,
    )
