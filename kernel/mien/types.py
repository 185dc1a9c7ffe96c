"""What flows through the pipeline: frames, faces, crops, swaps.  All frozen, all arrays read-only.

The words are those of the glossary in ``docs/architecture.md``.  Nothing here imports numpy when
the program starts: shapes are checked through the arrays' own attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .arrays import Image, Mask, Matrix, Points, Vector

__all__ = [
    "ColorTags",
    "Crop",
    "CropSpec",
    "Detection",
    "Face",
    "FaceMask",
    "FaceType",
    "Frame",
    "Landmarks",
    "Packet",
    "Swap",
    "replace",
]


def lock(name: str, array: Any, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless `array` has `shape` (None = any), and make it read-only."""
    seen = tuple(array.shape)
    if len(seen) != len(shape) or any(
        want is not None and got != want for got, want in zip(seen, shape, strict=True)
    ):
        wanted = ", ".join("n" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {seen}, must be ({wanted})")
    array.setflags(write=False)


class FaceType(StrEnum):
    """How much of the head a crop shows; geometry knows the numbers."""

    HALF = "half"
    MID = "mid"
    FULL = "full"
    FULL_UPRIGHT = "full-upright"
    WHOLE = "whole"
    HEAD = "head"
    HEAD_UPRIGHT = "head-upright"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorTags:
    """Colour description of a clip, in the code points of ITU-T H.273; 2 means unspecified."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One upright picture of a clip and the moment at which it is shown.

    index  position in the clip, from 0
    pts    presentation timestamp in units of `time_base` seconds
    image  (H, W, 3) BGR; uint8, uint16 (scaled to the whole 16-bit range) or float32
    bits   bits per channel that the clip really has (8, 10, 12, 16, or 32 for float)
    duration  in units of `time_base`; 0 where the clip does not say
    name   stem of the file this frame came from, empty for a video
    """

    index: int
    image: Image
    pts: int = 0
    time_base: Fraction = Fraction(1, 25)
    duration: int = 0
    bits: int = 8
    color: ColorTags = field(default_factory=ColorTags)
    name: str = ""

    def __post_init__(self) -> None:
        lock("Frame.image", self.image, (None, None, 3))

    @property
    def seconds(self) -> Fraction:
        """When the frame is shown, in seconds from the clip's own zero."""
        return self.pts * self.time_base

    @property
    def nbytes(self) -> int:
        """Memory that the picture takes."""
        return int(self.image.nbytes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """A detector's find: box (x0, y0, x1, y1) in frame pixels, score 0..1.

    points5  (5, 2) or None: eyes, nose tip, mouth corners, the one on the picture's left first
    roll     degrees by which the head leans clockwise; 0 unless it was found in a turned frame
    """

    box: tuple[float, float, float, float]
    score: float
    points5: Points | None = None
    roll: float = 0.0

    def __post_init__(self) -> None:
        if self.points5 is not None:
            lock("Detection.points5", self.points5, (5, 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landmarks:
    """An aligner's answer: points (68, 2) float32 in iBUG order, frame pixels; score 0..1."""

    points: Points
    score: float = 1.0

    def __post_init__(self) -> None:
        lock("Landmarks.points", self.points, (68, 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceMask:
    """A mask where it was made: mask (S, S, 1) float32 0..1; matrix (2, 3), frame to mask."""

    mask: Mask
    matrix: Matrix

    def __post_init__(self) -> None:
        lock("FaceMask.mask", self.mask, (None, None, 1))
        lock("FaceMask.matrix", self.matrix, (2, 3))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """One face in one frame, and all that is known of it.

    box        (x0, y0, x1, y1), frame pixels
    landmarks  (68, 2) float32, frame pixels, or None before alignment
    masks      by masker name
    track      the same person through a shot; -1 before tracking
    identity   (D,) float32 unit vector, or None
    roll       as `Detection.roll`
    """

    box: tuple[float, float, float, float]
    score: float = 1.0
    points5: Points | None = None
    landmarks: Points | None = None
    masks: Mapping[str, FaceMask] = field(default_factory=lambda: MappingProxyType({}))
    track: int = -1
    identity: Vector | None = None
    roll: float = 0.0

    def __post_init__(self) -> None:
        if self.points5 is not None:
            lock("Face.points5", self.points5, (5, 2))
        if self.landmarks is not None:
            lock("Face.landmarks", self.landmarks, (68, 2))
        if self.identity is not None:
            lock("Face.identity", self.identity, (None,))

    @property
    def nbytes(self) -> int:
        """Memory that the masks take, nearly all that a face weighs."""
        return sum(int(placed.mask.nbytes) for placed in self.masks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CropSpec:
    """The crop that a plugin wants: the kernel makes it, and takes it back to the frame.

    face_type  how much of the head;  size  side in pixels
    dtype      "float32" or "uint8" (then `low`, `high` do not apply)
    order      channel order
    low, high  the values of black and white in a float crop
    scale      > 1 zooms in, < 1 shows more
    """

    face_type: FaceType = FaceType.FULL
    size: int = 256
    dtype: Literal["float32", "uint8"] = "float32"
    order: Literal["bgr", "rgb"] = "bgr"
    low: float = 0.0
    high: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"CropSpec.size is {self.size}, must be at least 1 pixel")
        if self.high <= self.low:
            raise ValueError(f"CropSpec.high is {self.high}, must be above low ({self.low})")
        if self.scale <= 0:
            raise ValueError(f"CropSpec.scale is {self.scale}, must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crop:
    """A face warped upright into a square.

    image      (S, S, 3), dtype, order and range as `spec` says
    matrix     (2, 3) float64, frame pixels to crop pixels
    landmarks  (68, 2) float32, crop pixels
    face       the face it shows;  frame_index  the frame it came from
    """

    image: Image
    matrix: Matrix
    landmarks: Points
    spec: CropSpec
    face: Face
    frame_index: int = 0

    def __post_init__(self) -> None:
        lock("Crop.image", self.image, (self.spec.size, self.spec.size, 3))
        lock("Crop.matrix", self.matrix, (2, 3))
        lock("Crop.landmarks", self.landmarks, (68, 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swap:
    """What a model made of a target crop.

    image   (S, S, 3) float32 BGR 0..1
    masks   learned masks (S, S, 1) float32 0..1 by name: "swap" (of the new face), "target"
    matrix  (2, 3) float64, frame pixels to pixels of `image`;  face_type  the crop's
    alpha   (S, S, 1) float32 0..1, how much of it shall be seen; None until the masks are combined
    """

    image: Image
    matrix: Matrix
    face_type: FaceType = FaceType.FULL
    masks: Mapping[str, Mask] = field(default_factory=lambda: MappingProxyType({}))
    alpha: Mask | None = None

    def __post_init__(self) -> None:
        lock("Swap.image", self.image, (None, None, 3))
        lock("Swap.matrix", self.matrix, (2, 3))
        height, width = self.image.shape[:2]
        if self.alpha is not None:
            lock("Swap.alpha", self.alpha, (height, width, 1))
        for name, mask in self.masks.items():
            lock(f"Swap.masks[{name!r}]", mask, (height, width, 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packet:
    """A frame and all that is known of it so far; what the pipeline's stages hand on.

    swaps  one per face, None for a face that keeps its own look; empty before the model
    shot   index of the frame at which the shot began; -1 before tracking
    """

    frame: Frame
    faces: tuple[Face, ...] = ()
    swaps: tuple[Swap | None, ...] = ()
    shot: int = -1

    def __post_init__(self) -> None:
        if self.swaps and len(self.swaps) != len(self.faces):
            raise ValueError(f"{len(self.swaps)} swaps for {len(self.faces)} faces")

    @property
    def nbytes(self) -> int:
        """Memory that the packet takes while it waits in a channel."""
        swaps = sum(int(s.image.nbytes) for s in self.swaps if s is not None)
        return self.frame.nbytes + swaps + sum(face.nbytes for face in self.faces)
