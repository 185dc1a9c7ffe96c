"""DeepFaceLab's merge, formula by formula and over whole frames: for whoever must go on with a job
that was begun there, and to measure ours against.

It keeps what we do otherwise, and `docs/merging.md` lists: a positive scale shrinks the face,
denoising and bicubic degradation act on the plate, finishing resamples the face twice more, values
are truncated.  Nets and colour transfers are handed in as functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Points
from ..colour.histogram import match_image
from ..geometry import crop_matrix, expand_brows, fill_parts, invert, transform
from ..types import FaceType
from .finishing import SharpenMode, few_colours, median_soften, sharpen

Plane: TypeAlias = NDArray[np.float32]
Mode = Literal[
    "original",
    "overlay",
    "hist-match",
    "seamless",
    "seamless-hist-match",
    "raw-rgb",
    "raw-predict",
]

_LEAST = np.float32(1 / 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldSettings:
    """The old program's settings, in its units."""

    mode: Mode = "overlay"
    mask_mode: int = 4
    masked_hist_match: bool = True
    hist_match_threshold: float = 238
    erode: int = 0
    blur: int = 0
    motion_blur: int = 0
    super_resolution: int = 0
    sharpen_mode: SharpenMode = "none"
    sharpen: int = 0
    face_scale: int = 0
    denoise: int = 0
    bicubic_degrade: int = 0
    color_degrade: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OldTools:
    """What the old program asks of others; pictures are float32 BGR 0..1.

    predict   (n, n, 3) to the new face, its mask (n, n) and the target's mask (n, n)
    size      n;  face_type  of the model
    xseg      (256, 256, 3) to a mask (256, 256);  enhance  (n, n, 3) to (4n, 4n, 3)
    transfer  (face, plate, area) to the recoloured face; None for no colour transfer
    palette   (picture, power) to the picture with 256 colours
    """

    predict: Callable[[Image], tuple[Image, Plane, Plane]]
    size: int
    face_type: FaceType
    xseg: Callable[[Image], Plane] | None = None
    enhance: Callable[[Image], Image] | None = None
    transfer: Callable[[Image, Image, Plane], Image] | None = None
    palette: Callable[[Image, float], Image] | None = None


def merge_frame(
    image: Image,
    faces: Sequence[Points],
    tools: OldTools,
    settings: OldSettings,
    motion: tuple[float, float] = (0.0, 0.0),
) -> Image:
    """A frame (H, W, 3) uint8 with its faces, and their mask as fourth channel: uint8, truncated.

    faces   landmarks (68, 2) of each, in order;  motion  power in pixels and angle in degrees
    The mode raw-predict gives the crop (o, o, 4) of the last face instead.
    """
    frame = image.astype(np.float32) / np.float32(255)
    made, mask = frame, np.zeros(image.shape[:2], np.float32)
    for number, points in enumerate(faces):
        out, alpha = _Face(frame, points, tools, settings, motion).merged()
        if number == 0 or settings.mode == "raw-predict":
            made, mask = out, alpha
        else:
            made = made * (1 - alpha[..., None]) + out * alpha[..., None]
            mask = np.clip(mask + alpha, 0, 1)
    return (255 * np.dstack((made, mask))).astype(np.uint8)


def face_motion(before: Points, after: Points) -> tuple[float, float]:
    """Power (frame pixels over two frames) and angle (degrees) as the old program measures them:
    by one point of the face, rounded to whole pixels."""
    (x0, y0), (x1, y1) = (_whole_middle(points) for points in (before, after))
    across, down = x1 - x0, y1 - y0
    return math.hypot(across, down), -math.degrees(math.atan2(down, across))


def motion_kernel(length: int, angle: float) -> Plane:
    """A horizontal line, turned."""
    kernel = np.zeros((length, length), np.float32)
    kernel[(length - 1) // 2] = 1
    middle = length / 2 - 0.5
    turn = cv2.getRotationMatrix2D((middle, middle), angle, 1.0)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return np.asarray(turned / turned.sum(), dtype=np.float32)


def soft_edge(mask: Plane, size: int, erode: int, blur: int) -> Plane:
    """A mask (M, M) eroded and blurred by pixels, with `size` pixels of padding around."""
    side = mask.shape[0]
    padded: Any = np.pad(mask, size)
    if erode:
        shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        padded = (cv2.erode if erode > 0 else cv2.dilate)(padded, shape)
    inset = size + blur // 2
    kept: Any = np.zeros_like(padded)
    kept[inset:-inset, inset:-inset] = padded[inset:-inset, inset:-inset]
    if blur > 0:
        kernel = blur + 1 - blur % 2
        kept = cv2.GaussianBlur(kept, (kernel, kernel), 0)
    soft: Plane = np.clip(kept[size : size + side, size : size + side], 0, 1)
    return soft


class _Face:
    """One face of one frame; the names follow the formulas."""

    def __init__(
        self,
        frame: Image,
        points: Points,
        tools: OldTools,
        settings: OldSettings,
        motion: tuple[float, float],
    ) -> None:
        self.frame, self.points, self.tools, self.set = frame, points, tools, settings
        self.motion = motion
        self.n = tools.size
        self.mask_side = 4 * self.n
        self.o = 4 * self.n if settings.super_resolution else self.n
        scale = 1 + 0.01 * settings.face_scale
        self.straight = crop_matrix(points, tools.face_type, self.o)
        self.scaled = crop_matrix(points, tools.face_type, self.o, scale)
        self.of_mask = crop_matrix(points, tools.face_type, self.mask_side, scale)

    def merged(self) -> tuple[Image, Plane]:
        """The frame with this face, and how much of it is seen."""
        mode = self.set.mode
        target = np.clip(self.to_crop(self.frame), 0, 1)
        face, ours, theirs = self.predicted(target)
        shown = self.chosen(face, target, ours, theirs)
        if not mode.startswith("raw"):
            shown = soft_edge(shown, self.n, self.set.erode, self.set.blur)
        alpha = np.clip(self.to_frame(shown, self.of_mask), 0, 1)
        alpha[alpha < _LEAST] = 0
        if self.mask_side != self.o:
            shown = _resized(shown, self.o, cv2.INTER_CUBIC)
        if mode == "original":
            return self.frame, alpha
        if mode == "raw-predict":
            return np.clip(face, 0, 1), shown
        if mode == "raw-rgb":
            return self.raw(face), alpha
        if not _is_large(alpha):
            return self.frame, alpha
        out, plate = self.pasted(face, target, shown, alpha)
        out = self.finished(out, plate, target, shown, alpha)
        return self.few_colours(out), alpha

    def predicted(self, target: Image) -> tuple[Image, Plane, Plane]:
        """The new face and both masks, of side o."""
        asked = _resized(target, self.n, cv2.INTER_LINEAR)
        face, ours, theirs = (np.clip(each, 0, 1) for each in self.tools.predict(asked))
        power = self.set.super_resolution / 100
        if power:
            assert self.tools.enhance is not None, "super resolution needs an enhancer"
            fine = self.tools.enhance(face)
            large = _resized(face, self.o, cv2.INTER_LINEAR)
            face = np.clip(large * (1 - power) + fine * power, 0, 1).astype(np.float32)
        return (
            face,
            _resized(ours, self.o, cv2.INTER_CUBIC),
            _resized(theirs, self.o, cv2.INTER_CUBIC),
        )

    def chosen(self, face: Image, target: Image, ours: Plane, theirs: Plane) -> Plane:
        """The mask of the mode, of side 4n."""
        mode = self.set.mask_mode
        mask: Any
        if mode == 0:
            mask = np.ones((self.o, self.o), np.float32)
        elif mode == 1:
            mask = np.clip(self.to_crop(self.hull()), 0, 1)
        elif mode == 5:
            mask = np.clip(ours + theirs, 0, 1)
        else:
            parts = {2: "p", 3: "d", 4: "pd", 6: "P", 7: "D", 8: "PD", 9: "pdPD"}[mode]
            mask = np.ones((self.o, self.o), np.float32)
            for part in parts:
                mask = mask * self.one_mask(part, face, ours, theirs)
        mask = np.where(mask < _LEAST, 0, mask).astype(np.float32)
        large: Plane = _resized(mask, self.mask_side, cv2.INTER_CUBIC)
        return large

    def one_mask(self, part: str, face: Image, ours: Plane, theirs: Plane) -> Plane:
        """The model's mask of the new face or the target, or XSeg's."""
        if part in "pd":
            return ours if part == "p" else theirs
        assert self.tools.xseg is not None, "this mask mode needs XSeg"
        if part == "P":
            seen = _resized(face, 256, cv2.INTER_CUBIC)
        else:
            matrix = crop_matrix(self.points, self.tools.face_type, 256)
            seen = cv2.warpAffine(self.frame, matrix, (256, 256), flags=cv2.INTER_CUBIC)
        mask: Plane = _resized(self.tools.xseg(seen), self.o, cv2.INTER_CUBIC)
        return mask

    def hull(self) -> Plane:
        """The landmarks' outline in the frame."""
        height, width = self.frame.shape[:2]
        whole = fill_parts(expand_brows(self.points, 1.0), max(height, width))
        return np.ascontiguousarray(whole[:height, :width, 0])

    def raw(self, face: Image) -> Image:
        """The whole square, faded twice at its edge."""
        cover = self.to_frame(np.ones((self.o, self.o), np.float32), self.scaled)[..., None]
        seen = self.to_frame(face, self.scaled)
        made: Image = np.clip(self.frame * (1 - cover) + seen * cover, 0, 1)
        return made

    def pasted(self, face: Image, target: Image, shown: Plane, alpha: Plane) -> tuple[Image, Image]:
        """The face in its frame before finishing, and the plate."""
        area = (shown > 0).astype(np.float32)
        if not self.is_seamless and self.tools.transfer is not None:
            face = self.tools.transfer(face, target, area)
        if self.set.mode == "hist-match":
            kept = area[..., None] if self.set.masked_hist_match else np.float32(1)
            white = np.minimum(face * kept + (1 - kept), 1).astype(np.float32)
            face = self.matched(white, (target * kept + (1 - kept)).astype(np.float32))
        out = np.clip(self.to_frame(face, self.scaled), 0, 1)
        if self.is_seamless:
            out = _cloned(out, self.frame, alpha)
        return self.mixed(self.frame, out, alpha), self.frame

    def finished(
        self, out: Image, plate: Image, target: Image, shown: Plane, alpha: Plane
    ) -> Image:
        """The face cut out once more, changed, and put back on a changed plate."""
        settings, recolour = self.set, self.is_seamless and self.tools.transfer is not None
        if not (
            recolour
            or settings.mode == "seamless-hist-match"
            or settings.motion_blur
            or settings.sharpen
            or settings.denoise
            or settings.bicubic_degrade
        ):
            return out
        face = self.to_crop(out)
        if recolour:
            assert self.tools.transfer is not None
            face = self.tools.transfer(face, target, (shown > 0).astype(np.float32))
        if settings.mode == "seamless-hist-match":
            face = self.matched(face, target)
        length = int(self.motion[0] * settings.motion_blur / 100)
        if length >= 1:
            length = int(np.clip(length + 1, 2, 50)) * (2 if settings.super_resolution else 1)
            face = cv2.filter2D(face, -1, motion_kernel(length, self.motion[1]))
        face = sharpen(face, settings.sharpen_mode, settings.sharpen)
        plate = median_soften(plate, settings.denoise, 100, 10)
        if settings.bicubic_degrade:
            keep = 1 - settings.bicubic_degrade / 101
            height, width = plate.shape[:2]
            small = cv2.resize(
                plate, (int(width * keep), int(height * keep)), interpolation=cv2.INTER_CUBIC
            )
            plate = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        mixed = self.mixed(plate, self.to_frame(face, self.straight), alpha)
        return np.clip(mixed, 0, 1)

    def few_colours(self, out: Image) -> Image:
        """The whole picture moved to a palette."""
        power = self.set.color_degrade
        if not power:
            return out
        if self.tools.palette is not None:
            return self.tools.palette(out, power)
        return few_colours(out, np.ones(out.shape[:2], dtype=bool), power)

    @property
    def is_seamless(self) -> bool:
        """Whether the face is cloned."""
        return self.set.mode.startswith("seamless")

    def matched(self, face: Image, target: Image) -> Image:
        """The face with the target's distribution of each channel."""
        everywhere = np.ones(face.shape[:2], dtype=bool)
        return match_image(face, target, everywhere, self.set.hist_match_threshold / 255)

    def to_crop(self, image: Image) -> Any:
        """A frame's picture in the crop of side o, never scaled."""
        return cv2.warpAffine(image, self.straight, (self.o, self.o), flags=cv2.INTER_CUBIC)

    def to_frame(self, image: Image, matrix: NDArray[np.float64]) -> Any:
        """A crop's picture in the frame, black around."""
        height, width = self.frame.shape[:2]
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
        return cv2.warpAffine(image, matrix, (width, height), flags=flags)

    @staticmethod
    def mixed(plate: Image, out: Image, alpha: Plane) -> Image:
        """One over the other."""
        return plate * (1 - alpha[..., None]) + out * alpha[..., None]


def _cloned(out: Image, frame: Image, alpha: Plane) -> Image:
    seen = next((alpha > i / 10 for i in range(1, 10) if (alpha > i / 10).any()), None)
    if seen is None:
        return out
    left, top, width, height = cv2.boundingRect(seen.astype(np.uint8))
    clone = cv2.seamlessClone(
        (255 * out).astype(np.uint8),
        (255 * frame).astype(np.uint8),
        (255 * seen).astype(np.uint8),
        (int(left + width / 2), int(top + height / 2)),
        cv2.NORMAL_CLONE,
    )
    return clone.astype(np.float32) / np.float32(255)


def _is_large(alpha: Plane) -> bool:
    rows, columns = np.nonzero(alpha >= 0.1)
    return len(rows) > 0 and bool(min(np.ptp(rows), np.ptp(columns)) >= 4)


def _resized(image: Image, side: int, how: int) -> Any:
    if image.shape[0] == side:
        return image
    return cv2.resize(image, (side, side), interpolation=how)


def _whole_middle(points: Points) -> tuple[int, int]:
    back = invert(crop_matrix(points, FaceType.FULL, 256))
    x, y = np.rint(transform(back, np.array([[127.0, 127.0]])))[0].astype(int).tolist()
    return x, y
