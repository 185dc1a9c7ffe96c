"""What a user may set about the way a swap is put into its frame: the table `[merge]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..options import option

if TYPE_CHECKING:
    from ..types import Face, Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """How a swap is put into its frame: the table `[merge]`.

    Lengths are percent of the crop's side, so that they mean the same for every model's size.
    A control at 0 costs nothing.
    """

    mask: str = option(
        "auto",
        "What is shown of the new face: auto, full, hull, swap or target (learned by the model), "
        "a masker's NAME, NAME.swap for the masker's view of the new face, or an expression of "
        "them: a*b is their overlap, a+b their union, a - b what b leaves of a",
    )
    erode: float = option(
        2.0, "How far the mask's edge moves inwards; below 0 outwards", unit="%", ge=-25, le=25
    )
    erode_left: float = option(
        0.0, "The same for the edge on the picture's left alone", unit="%", ge=-25, le=25
    )
    erode_top: float = option(0.0, "The same for the edge on top", unit="%", ge=-25, le=25)
    erode_right: float = option(
        0.0, "The same for the edge on the picture's right", unit="%", ge=-25, le=25
    )
    erode_bottom: float = option(0.0, "The same for the edge below", unit="%", ge=-25, le=25)
    blur: float = option(8.0, "Width of the mask's soft edge", unit="%", ge=0, le=50)
    blur_kind: Literal["gaussian", "box"] = option("gaussian", "How that edge is blurred")
    blur_passes: int = option(
        1, "How often, each time 0.8 as wide as the time before, or half with box", ge=1, le=8
    )
    mask_threshold: float = option(
        0.0, "What of a mask lies so near to 0 or to 100 % becomes that", unit="%", ge=0, le=50
    )
    erode_pixels: float | None = option(
        None,
        "In place of erode: as DeepFaceLab counts, in pixels of a mask four times the model's size",
        ge=-400,
        le=400,
    )
    blur_pixels: float | None = option(
        None, "In place of blur: as DeepFaceLab counts, in the same pixels", ge=0, le=400
    )
    scale: float = option(
        0.0, "How much larger the new face is pasted; below 0 smaller", unit="%", ge=-50, le=50
    )
    faces: Literal["largest", "all"] = option("largest", "Which faces of a frame get the new look")
    presharpen: float = option(
        0.0, "How strongly the face is sharpened before the model sees it", ge=0, le=100
    )
    two_pass: bool = option(False, "Show the model its own new face, and take what it makes of it")
    enhance: float = option(
        0.0, "How much of the enhancer's finer picture is taken", unit="%", ge=0, le=100
    )
    light: float = option(
        0.0, "How much of the plate's light and shade the new face takes", unit="%", ge=0, le=100
    )
    contrast: float = option(
        0.0, "How far the new face's contrast is moved to the plate's", unit="%", ge=0, le=100
    )
    sharpen_mode: Literal["none", "box", "gaussian", "unsharp"] = option(
        "none", "How the new face is sharpened, unsharp only at edges; softening needs no mode"
    )
    sharpen: float = option(
        0.0, "How strongly the new face is sharpened; below 0 softened", ge=-100, le=100
    )
    sharpen_radius: int = option(
        1, "How far around a pixel sharpening looks", unit="pixels", ge=1, le=50
    )
    motion_blur: float = option(
        0.0,
        "How much of the face's way over two frames it is blurred along; a film camera: 25",
        unit="%",
        ge=0,
        le=100,
    )
    denoise: float = option(
        0.0, "How often the new face is median filtered; 100 is once", ge=0, le=500
    )
    degrade: float = option(
        0.0, "How much of its resolution the new face loses", unit="%", ge=0, le=100
    )
    color_degrade: float = option(
        0.0, "How far the face goes to a palette of 256 colours", unit="%", ge=0, le=100
    )
    grain: float = option(
        0.0, "How much of the grain that it lacks the new face is given", unit="%", ge=0, le=200
    )

    @property
    def looks_around(self) -> bool:
        """Whether what is seen depends on the new face where it is not seen itself."""
        return bool(
            self.light
            or self.contrast
            or self.sharpen
            or self.motion_blur
            or self.denoise
            or self.degrade
        )

    def erode_in(self, size: int) -> float:
        """By how many pixels the edge moves inwards in a crop of the model's side."""
        if self.erode_pixels is not None:
            return self.erode_pixels / 8  # theirs is a kernel's width, at four times the size
        return size * self.erode / 100

    def sides_in(self, size: int) -> tuple[int, int, int, int]:
        """By how many pixels the left, top, right and lower edge move besides."""
        sides = (self.erode_left, self.erode_top, self.erode_right, self.erode_bottom)
        left, top, right, bottom = (round(size * side / 100) for side in sides)
        return left, top, right, bottom

    def blur_in(self, size: int) -> float:
        """How many pixels wide the edge becomes in a crop of the model's side."""
        return size * self.blur / 100 if self.blur_pixels is None else self.blur_pixels / 4


OptionsFor: TypeAlias = "Callable[[Packet, Face], MergeOptions]"
"""Where every step takes its options from: they may differ by frame and by face."""


def always(options: MergeOptions) -> OptionsFor:
    """The same options for every face of every frame."""

    def same(packet: Packet, face: Face) -> MergeOptions:
        return options

    return same


def options_for(merge: MergeOptions | OptionsFor) -> OptionsFor:
    """Of options that may be the same everywhere, what a step asks."""
    return always(merge) if isinstance(merge, MergeOptions) else merge
