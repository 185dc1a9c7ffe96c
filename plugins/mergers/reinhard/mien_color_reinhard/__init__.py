"""The colour transfer `reinhard`: means and spreads of Lab channels (Reinhard et al. 2001)."""

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

    statistics: Literal["area", "crop", "dfl", "faceswap"] = option(
        "area",
        "What is measured: the area where the face is seen, the whole crop, or the area as "
        "DeepFaceLab or faceswap do, the rest counted as black",
    )
    paper: bool = option(
        True, "faceswap's preserve_paper: stretches by the inverse; only with its statistics"
    )
    clip: bool = option(
        True, "faceswap's clip: cuts off instead of squeezing; only with its statistics"
    )
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2."""
    from .stage import Reinhard

    return Reinhard(options.statistics, options.strength, paper=options.paper, clip=options.clip)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="reinhard",
        summary="Match mean and spread of the Lab channels",
        options=Options,
        create=create,
    )
