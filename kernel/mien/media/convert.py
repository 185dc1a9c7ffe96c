"""The one road between a codec's planes and BGR arrays, and the same road back.

swscale's short cuts are avoided on purpose.  Measured on 1080p, 4:2:0 to BGR and back: the default
flags darken luma by 1.5 levels each time, and ``bgr48le`` with accurate flags comes out scrambled
(FFmpeg 8.1).  Planar ``gbrp`` with accurate flags is exact to 0.01 level, and 16 bits wide it is
the faster of the two.  Only into full-range YUV does swscale lose its way whatever the flags: it
puts grey at 127.5 instead of 128, so that step is made here by hand.
"""

# ruff: noqa: TID253 - this module is itself imported only when a clip is opened

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from ..arrays import Image, as_dtype, as_float
from ..types import ColorTags

_ACCURATE = int(
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
# H.273 matrix to swscale's table; the constant-luminance BT.2020 is read as the common one.
_SCALER_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
# Weights of red and blue in luma, by H.273 matrix.
_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
# What swscale makes of limited-range white in 16-bit RGB, whatever the depth of the clip.
_LIMITED_WHITE = 65283
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


def matrix_of(color: ColorTags, width: int, height: int) -> int:
    """The H.273 matrix by which a YUV clip is read and written.

    The tag decides.  Without one: BT.709 for pictures that are more than 576 lines or at least
    1280 pixels long, BT.601 for smaller ones, as players do; turning the picture changes nothing.
    Reader and writer share this rule, so an untagged clip keeps its colours through both.
    """
    if color.matrix in _SCALER_MATRIX:
        return color.matrix
    return 1 if max(width, height) >= 1280 or min(width, height) > 576 else 5


class PixelFormat:
    """The facts about a pixel format that decide how it is converted."""

    def __init__(self, name: str) -> None:
        shape = av.VideoFormat(name, 16, 16)
        parts = [part for part in shape.components if not part.is_alpha]
        self.name = name
        self.bits = min(16, max(part.bits for part in parts))  # float formats are read as 16 bit
        self.is_rgb = bool(shape.is_rgb or shape.has_palette)
        self.is_gray = len(parts) == 1 and not self.is_rgb
        has_chroma = len(parts) == 3 and not self.is_rgb
        # luma samples per chroma sample, across and down
        self.chroma_step = (16 // parts[1].width, 16 // parts[1].height) if has_chroma else (1, 1)

    def is_full(self, color: ColorTags) -> bool:
        """Whether its values use the whole range."""
        if self.is_rgb:
            return True
        if color.full_range is not None:
            return color.full_range
        return self.name.startswith("yuvj") or self.is_gray

    def white(self, color: ColorTags) -> int:
        """The value of white where swscale widens the format to 16-bit RGB."""
        if not self.is_full(color):
            return _LIMITED_WHITE
        return int(((1 << self.bits) - 1) << (16 - self.bits))


class ToBgr:
    """Turns decoded frames of one clip into upright BGR arrays.

    width, height  of the stored picture; a frame of another size is scaled to it
    rotation       degrees counter-clockwise: 0, 90, 180 or 270
    """

    def __init__(
        self, format_name: str, color: ColorTags, width: int, height: int, rotation: int
    ) -> None:
        kind = PixelFormat(format_name)
        self._size = (width, height)
        self._turn = _TURNS.get(rotation)
        self._matrix = None if kind.is_rgb else _SCALER_MATRIX[matrix_of(color, width, height)]
        self._range = ColorRange.JPEG if kind.is_full(color) else ColorRange.MPEG
        self._scaler = VideoReformatter()
        self._gain: Any = None
        self._planes = "gbrp"
        self._dtype: Any = np.uint8 if kind.bits == 8 else np.uint16
        if kind.bits > 8:
            native = kind.is_rgb and kind.bits < 16  # swscale's own widening is not exact
            self._planes = f"gbrp{kind.bits}le" if native else "gbrp16le"
            white = (1 << kind.bits) - 1 if kind.is_rgb else kind.white(color)
            self._gain = _gain(65535 / white)

    def __call__(self, frame: av.VideoFrame) -> Image:
        """(H, W, 3) BGR, uint8 or uint16 over the whole range, upright and contiguous."""
        width, height = self._size
        planar = self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=self._planes,
            src_colorspace=self._matrix,
            src_color_range=self._range,
            interpolation=_ACCURATE,
            threads=1,  # the planar road is not sliced: more threads only cost
        )
        green, blue, red = (_view(plane, self._dtype) for plane in planar.planes)
        image: Image = cv2.merge([blue, green, red])
        if self._gain is not None:
            cv2.multiply(image, self._gain, dst=image)
        return image if self._turn is None else cv2.rotate(image, self._turn)


class FromBgr:
    """Turns BGR arrays into frames of one pixel format, by exactly the inverse of `ToBgr`."""

    def __init__(self, format_name: str, color: ColorTags, width: int, height: int) -> None:
        self._kind = PixelFormat(format_name)
        self._color = color
        self._matrix = matrix_of(color, width, height)
        self._range = ColorRange.JPEG if self._kind.is_full(color) else ColorRange.MPEG
        self._scaler = VideoReformatter()

    def __call__(self, image: Image) -> av.VideoFrame:
        """A frame with its colour tags set; `image` is (H, W, 3) uint8, uint16 or float32."""
        if self._kind.is_rgb:
            frame = self._rgb(image)
        elif self._kind.is_gray:
            frame = self._gray(image)
        elif self._range == ColorRange.JPEG:
            frame = self._full_range(image)
        else:
            frame = self._limited_range(image)
        frame.color_primaries = self._color.primaries
        frame.color_trc = self._color.transfer
        frame.colorspace = self._color.matrix
        frame.color_range = self._range if self._color.full_range is not None else 0
        return frame

    def _limited_range(self, image: Image) -> av.VideoFrame:
        if self._kind.bits == 8 or image.dtype == np.uint8:
            source = _packed(_as_uint8(image))  # rounded here, or swscale would dither
        else:
            source = _planar(_as_uint16(image), "gbrp16le", _LIMITED_WHITE / 65535)
        return self._scaler.reformat(
            source,
            format=self._kind.name,
            dst_colorspace=_SCALER_MATRIX[self._matrix],
            dst_color_range=ColorRange.MPEG,
            interpolation=_ACCURATE,
            threads=1,
        )

    def _full_range(self, image: Image) -> av.VideoFrame:
        bits = self._kind.bits
        small = bits == 8
        image = _as_uint8(image) if small else _as_uint16(image)
        gain = 1.0 if small else ((1 << bits) - 1) / 65535
        planes = cv2.split(cv2.transform(image, _full_range_matrix(self._matrix, gain, bits)))
        frame = av.VideoFrame(image.shape[1], image.shape[0], self._kind.name)
        for target, plane in zip(frame.planes, planes, strict=True):
            if target.width < plane.shape[1]:
                plane = plane[:, :: self._kind.chroma_step[0]]  # chroma sits on even columns ..
            if target.height < plane.shape[0]:  # .. and between rows
                size = (target.width, target.height)
                plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
            _view(target, np.uint8 if small else np.uint16)[:] = plane
        return frame

    def _gray(self, image: Image) -> av.VideoFrame:
        """The blue channel of a picture whose channels are alike."""
        frame = av.VideoFrame(image.shape[1], image.shape[0], self._kind.name)
        _view(frame.planes[0], np.uint8)[:] = _as_uint8(image[..., :1])[..., 0]
        return frame

    def _rgb(self, image: Image) -> av.VideoFrame:
        bits = self._kind.bits
        if bits == 8:
            return self._scaler.reformat(_packed(_as_uint8(image)), format=self._kind.name)
        return _planar(_as_uint16(image), self._kind.name, ((1 << bits) - 1) / 65535)


def _full_range_matrix(matrix: int, gain: float, bits: int) -> Any:
    """(3, 4): B, G, R, 1 to Y, Cb, Cr over the whole range of `bits`."""
    red, blue = _WEIGHTS[matrix]
    luma = np.array([blue, 1 - red - blue, red])
    cb = (np.array([1, 0, 0]) - luma) / (2 * (1 - blue))
    cr = (np.array([0, 0, 1]) - luma) / (2 * (1 - red))
    middle = np.array([[0], [1], [1]]) * float(1 << (bits - 1))
    return np.hstack([np.stack([luma, cb, cr]) * gain, middle])


def _view(plane: Any, kind: Any) -> Image:
    """The picture part of a plane, without a copy; it keeps the frame alive."""
    rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
    return rows[:, : plane.width]


def _gain(factor: float) -> Any:
    """OpenCV's scalar for all channels: a plain number means the first one only, in 4.x."""
    return (factor,) * 4


def _packed(image: Image) -> av.VideoFrame:
    if image.strides[1:] != (3, 1):
        image = np.ascontiguousarray(image)
    return av.VideoFrame.from_numpy_buffer(image, "bgr24")  # lends the array, copies nothing


def _planar(image: Image, format_name: str, gain: float) -> av.VideoFrame:
    if gain != 1.0:
        image = cv2.multiply(image, _gain(gain))
    frame = av.VideoFrame(image.shape[1], image.shape[0], format_name)
    for plane, channel in zip(frame.planes, (1, 0, 2), strict=True):  # stored as G, B, R
        cv2.extractChannel(image, channel, dst=_view(plane, np.uint16))
    return frame


def _as_uint8(image: Image) -> Image:
    return image if image.dtype == np.uint8 else as_dtype(as_float(image), np.uint8)


def _as_uint16(image: Image) -> Image:
    return image if image.dtype == np.uint16 else as_dtype(as_float(image), np.uint16)
