"""The colour transfer `linear`: means and covariances, DeepFaceLab's `lct`."""

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
    way: Literal["roots", "cholesky", "transport"] = option(
        "roots", "How one covariance is led to the other; DeepFaceLab's pca, chol and sym"
    )
    strength: float = option(1.0, "0 keeps the swap, 1 moves it all the way", ge=0, le=1)


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2 or numpy."""
    from .stage import Linear

    return Linear(options.statistics, options.way, options.strength)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="linear",
        summary="Match mean and covariance of the channels",
        options=Options,
        create=create,
    )
