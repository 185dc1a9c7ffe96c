"""The colour transfer `histogram`: each channel gets the plate's histogram."""

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
        "DeepFaceLab does, the rest painted white",
    )
    threshold: float = option(
        255.0, "Below 255 only that part of the plate's histogram is reached; darkens", ge=0, le=255
    )
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2 or numpy."""
    from .stage import Histogram

    return Histogram(options.statistics, options.threshold, options.strength)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="histogram",
        summary="Match the histograms of the channels",
        options=Options,
        create=create,
    )
