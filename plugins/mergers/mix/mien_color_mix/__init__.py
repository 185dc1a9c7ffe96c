"""The colour transfer `mix`: light by a line, colour by sliced optimal transport."""

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
        "quick", "In floating point on a grid of pixels, or step by step as DeepFaceLab does"
    )
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2 or numpy."""
    from .stage import Mix

    return Mix(options, context)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="mix",
        summary="Match light by a line, colour by its distribution",
        options=Options,
        create=create,
    )
