"""How a clip is encoded: library, pixel format, colour tags, from the options and the target."""

# ruff: noqa: TID253 - this module is itself imported only when a clip is written

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import av

from ..errors import OutputError
from ..types import ColorTags, replace
from .base import ClipInfo, OutputOptions
from .convert import PixelFormat, matrix_of
from .files import VIDEO_OUTPUTS

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".avi": "avi"}
MUXER_OPTIONS: Mapping[str, Mapping[str, str]] = {
    # Written in fragments of a second, so that a killed run leaves a clip that plays, and made a
    # plain file at the end.  Without delay_moov the first fragment knows no edit list and the
    # picture starts late by the encoder's reordering.
    "mp4": {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "1000000"},
    "mov": {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "1000000"},
    "matroska": {"cluster_time_limit": "1000"},
    "avi": {},
}
_LIBRARIES = {"h264": "libx264", "h265": "libx265", "ffv1": "ffv1", "prores": "prores_ks"}
_DEPTHS = {"h264": (8, 10), "h265": (8, 10, 12), "ffv1": (8, 10, 12, 16), "prores": (10,)}
_RGB_DEPTHS = {8: "bgr0", 10: "gbrp10le", 12: "gbrp12le", 16: "gbrp16le"}
# x265 4.1 writes beyond its buffers in pictures up to 48 pixels wide, and brings the program down.
_NARROWEST_H265 = 64
_HOMES = {
    "h264": VIDEO_OUTPUTS,
    "h265": (".mp4", ".mov", ".mkv"),
    "ffv1": (".mkv", ".avi", ".mp4"),
    "prores": (".mov", ".mkv"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """What the encoder is told; `notes` are sentences for the user."""

    library: str
    pixel_format: str
    color: ColorTags
    options: Mapping[str, str]
    tag: str = ""
    notes: tuple[str, ...] = field(default=())


def check_codec(codec: str, suffix: str) -> str:
    """The library for `codec`.  Raises OutputError where it is missing or `suffix` cannot hold it.

    suffix  of the output, such as ".mp4"
    """
    library = _LIBRARIES[codec]
    if library not in av.codecs_available:
        there = [name for name, lib in _LIBRARIES.items() if lib in av.codecs_available]
        raise OutputError(
            f"encode.codec = '{codec}': this build of PyAV has no encoder '{library}'; "
            f"there are: {', '.join(there) or 'none'}"
        )
    if suffix not in _HOMES[codec]:
        raise OutputError(
            f"encode.codec = '{codec}': a {suffix} file cannot hold it; "
            f"name the output {', '.join(_HOMES[codec])}, or choose another codec"
        )
    return library


def check_lossless(options: OutputOptions, target: ClipInfo) -> None:
    """Raises OutputError where the result cannot be kept to the bit as it is asked."""
    if not options.lossless:
        return
    problem = ""
    if options.codec == "prores":
        problem = "prores always loses something; choose --codec ffv1, h264 or h265"
    elif options.chroma != "auto" or options.bits != "auto":
        problem = "leaves nothing to choose for encode.chroma and encode.bits; leave them at auto"
    elif target.bits > 16:
        problem = "no video codec holds float pictures; name a folder and --picture exr"
    elif target.bits > 8 and options.codec != "ffv1":
        problem = (
            f"the clip has {target.bits} bits, so results have 16, and {options.codec} holds only "
            "8 to the bit; choose --codec ffv1"
        )
    if problem:
        raise OutputError(f"encode.lossless: {problem}")


def _lossless(options: OutputOptions, target: ClipInfo, suffix: str) -> Encoding:
    """RGB as wide as the arrays that frames are, so that decoding gives the same arrays."""
    check_lossless(options, target)
    settings: dict[str, str] = {"level": "3", "slicecrc": "1"}
    name = "bgr0" if target.bits <= 8 else "gbrp16le"
    if target.pixel_format == "gray":
        name = "gray"
    library = check_codec(options.codec, suffix)
    if options.codec == "h264":
        settings = {"qp": "0", "preset": options.preset}
        library = "libx264" if name == "gray" else "libx264rgb"
    elif options.codec == "h265":
        name = "gray" if name == "gray" else "gbrp"
        settings = {"x265-params": "log-level=error:lossless=1", "preset": options.preset}
    if suffix == ".avi" and options.codec == "h264":
        settings["bf"] = "0"
    is_gray = name == "gray"
    color = replace(target.color, matrix=2 if is_gray else 0, full_range=True)
    return Encoding(
        library=library, pixel_format=name, color=color, options=settings,
        tag="hvc1" if options.codec == "h265" and suffix in (".mp4", ".mov") else "",
    )  # fmt: skip


def choose(
    options: OutputOptions, target: ClipInfo, width: int, height: int, suffix: str
) -> Encoding:
    """How a clip of width x height pixels is written so that it looks as the target does.

    Raises OutputError where the codec cannot write pictures of this size.
    """
    if options.codec == "h265" and width < _NARROWEST_H265:
        raise OutputError(
            f"encode.codec = 'h265': its encoder cannot write {width} pixels wide pictures, "
            f"only from {_NARROWEST_H265} on; use h264 or ffv1"
        )
    if options.lossless:
        return _lossless(options, target, suffix)
    notes: list[str] = []
    source = PixelFormat(target.pixel_format or "bgr24")
    depth = _depth(options, target)
    rgb = options.codec == "ffv1" and source.is_rgb and options.chroma == "auto"
    if rgb:
        name = _RGB_DEPTHS[depth]
    else:
        chroma = _chroma(options, source, width, height, notes)
        name = f"yuv{chroma}p" + ("" if depth == 8 else f"{depth}le")
    color = _tags(options.codec, target.color, width, height, rgb=rgb)
    if options.codec == "prores" and target.color.full_range and not source.is_rgb:
        notes.append("prores holds no full-range picture: it is written in limited range")
    if options.codec == "ffv1" and suffix == ".avi" and not rgb:
        color = ColorTags()
        notes.append("an .avi with ffv1 carries no colour tags: use .mkv to keep them")
    return Encoding(
        library=check_codec(options.codec, suffix),
        pixel_format=name,
        color=color,
        options=_library_options(options, name, suffix),
        tag="hvc1" if options.codec == "h265" and suffix in (".mp4", ".mov") else "",
        notes=tuple(notes),
    )


def _depth(options: OutputOptions, target: ClipInfo) -> int:
    """Bits per channel: the least the codec has that loses nothing, or the most it has."""
    can = _DEPTHS[options.codec]
    if options.bits != "auto":
        wanted = int(options.bits)
    elif target.still and options.codec != "ffv1":
        wanted = min(target.bits, 10)  # 12 bits hardly play anywhere
    else:
        wanted = target.bits
    return next((depth for depth in can if depth >= wanted), can[-1])


def _chroma(
    options: OutputOptions, source: PixelFormat, width: int, height: int, notes: list[str]
) -> str:
    """Sub-sampling: the target's own; RGB and grey become what plays everywhere."""
    chosen: str = options.chroma
    across, down = source.chroma_step
    if chosen == "auto":
        if source.is_rgb or source.is_gray:
            chosen = "444" if options.codec == "prores" else "420"
        else:
            chosen = "420" if down > 1 and across > 1 else "422" if across > 1 else "444"
    if options.codec == "prores" and chosen == "420":
        chosen = "422"
    odd = (width % 2 and chosen != "444") or (height % 2 and chosen == "420")
    if odd and options.codec != "ffv1":
        notes.append(
            f"{width}x{height} is odd, which {options.codec} cannot write as 4:2:0 or 4:2:2: "
            "written as 4:4:4, which some players do not show"
        )
        chosen = "444"
    return chosen


def _tags(codec: str, color: ColorTags, width: int, height: int, *, rgb: bool) -> ColorTags:
    if rgb:
        return replace(color, matrix=0, full_range=True)
    if color.matrix == 0:  # from RGB: the program chose the matrix itself, so it can say so
        return replace(color, matrix=matrix_of(color, width, height), full_range=False)
    read_as = matrix_of(color, width, height)
    if codec == "prores":
        color = replace(color, full_range=False if color.full_range else color.full_range)
    tagged = color.matrix != 2 and color.matrix != read_as
    return replace(color, matrix=read_as) if tagged else color


def _library_options(options: OutputOptions, pixel_format: str, suffix: str) -> dict[str, str]:
    if options.codec == "ffv1":
        return {"level": "3", "slicecrc": "1"}
    if options.codec == "prores":
        return {"profile": "4" if "444" in pixel_format else "3", "vendor": "apl0"}
    chosen = {"crf": str(options.quality), "preset": options.preset}
    if suffix == ".avi":
        chosen["bf"] = "0"  # .avi has no timestamps that could put B-frames in order
    if options.codec == "h265":
        chosen["x265-params"] = "log-level=error"
    return chosen
