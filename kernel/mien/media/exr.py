"""OpenEXR pictures through FFmpeg's codec: OpenCV's wheels come without.

The values are stored as they are, 0..1 for black..white in the clip's own transfer curve: nothing
is made linear on the way out, and nothing undone on the way in.
"""

# ruff: noqa: TID253 - this module is itself imported only when such a picture is read or written

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from ..arrays import Image, as_float
from ..errors import OutputError

MAGIC = b"v/1\x01"


def encode(image: Image, *, half: bool) -> bytes:
    """A picture (H, W, 3) BGR as the bytes of an OpenEXR file, 16-bit or 32-bit float.

    Raises OutputError where this build of PyAV has no encoder for it.
    """
    if "exr" not in av.codecs_available:
        raise OutputError(".exr: this build of PyAV cannot write OpenEXR; use .tif or .png")
    height, width = image.shape[:2]
    encoder: Any = av.CodecContext.create("exr", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "gbrpf32le"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"format": "half" if half else "float", "compression": "zip16"}
    frame = av.VideoFrame(width, height, "gbrpf32le")
    values = as_float(image)
    for plane, channel in zip(frame.planes, (1, 0, 2), strict=True):  # stored as G, B, R
        _view(plane, np.float32, width)[:] = values[..., channel]
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def decode(data: bytes) -> Image | None:
    """The picture in an OpenEXR file as (H, W, 3) BGR float32; None where it cannot be read."""
    decoder: Any = av.CodecContext.create("exr", "r")
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except (av.error.FFmpegError, ValueError):
        return None
    if not frames:
        return None
    frame = frames[0]
    name = frame.format.name
    if not name.endswith("le") or name[:-5] not in ("gbrp", "gbrap", "gray"):
        return None
    dtype = np.float16 if name.endswith("f16le") else np.float32
    places = (0, 0, 0) if name.startswith("gray") else (1, 0, 2)
    planes = [_view(frame.planes[place], dtype, frame.width) for place in places]
    return np.stack(planes, axis=-1).astype(np.float32)


def _view(plane: Any, dtype: Any, width: int) -> Any:
    """The picture part of a plane, without a copy."""
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, :width]
