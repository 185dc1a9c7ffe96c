"""The colour transfer `manual-balance`: balance, contrast and brightness set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import ColorTransferProvider, ColorTransferStage, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set; all in per cent."""

    space: Literal["hsv", "rgb", "lab", "ycrcb"] = option(
        "hsv", "The colour space whose three channels are balanced"
    )
    balance_1: float = option(0.0, "Lowers or raises hue, red, or lightness", ge=-100, le=100)
    balance_2: float = option(0.0, "Lowers or raises the second channel", ge=-100, le=100)
    balance_3: float = option(0.0, "Lowers or raises the third channel", ge=-100, le=100)
    contrast: float = option(0.0, "Contrast around black", ge=-100, le=100)
    brightness: float = option(0.0, "Added light", ge=-100, le=100)
    form: Literal["float", "faceswap"] = option(
        "float", "In floating point with hue as an angle, or in 8 bits as faceswap does"
    )


def create(options: Options, context: Context) -> ColorTransferStage:
    """The stage; imports cv2."""
    from .stage import ManualBalance

    return ManualBalance(options)


@hookimpl
def mien_color_transfers() -> Iterator[ColorTransferProvider]:
    """This plugin's card."""
    yield ColorTransferProvider(
        name="manual-balance",
        summary="Balance, contrast and brightness by hand",
        options=Options,
        create=create,
    )
