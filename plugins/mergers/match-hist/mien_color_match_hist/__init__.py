"""The colour transfer `match-hist`: histograms under the mask, as faceswap matches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import ColorTransferProvider, ColorTransferStage, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set."""

    threshold: float = option(
        99.0, "How much of the plate's histogram is reached", unit="per cent", ge=90, le=100
    )
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2 or numpy."""
    from .stage import MatchHist

    return MatchHist(options.threshold, options.strength)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="match-hist",
        summary="Match the histograms of the channels under the mask",
        options=Options,
        create=create,
    )
