"""Masks that somebody made: a picture sequence, a clip, or polygons, in frame pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.errors import ConfigError
from mien.hooks import hookimpl
from mien.options import option
from mien.stages import Context, MaskerProvider, MaskerStage
from mien.types import FaceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    source: Path | None = option(
        None, "Folder, pattern such as m_%04d.png, picture, clip or JSON file with the masks"
    )
    first: int = option(0, "Number, in file names or JSON, of the clip's first frame", ge=0)
    missing: Literal["none", "full", "nearest"] = option(
        "none", "For frames without a mask: nothing, everything, or the nearest frame's mask"
    )
    channel: Literal["auto", "grey", "alpha"] = option(
        "auto", "What of a picture is the mask; auto takes alpha where there is one"
    )
    invert: bool = option(False, "White is what is not face")
    label: str = option("", "Only polygons of this label count, besides holes; empty for all")
    width: int = option(0, "Width of the clip's frames, to check the masks; 0 unknown", ge=0)
    height: int = option(0, "Height of the clip's frames, to check the masks; 0 unknown", ge=0)
    stretch: bool = option(False, "Stretch masks of another size to `width` and `height`")
    face_type: FaceType = option(FaceType.WHOLE, "How much of the head the mask's crop shows")
    size: int = option(256, "Side of the mask's crop", unit="pixels", ge=16, le=2048)


def create(options: Options, context: Context) -> MaskerStage:
    """The masker; brings in numpy, and cv2 with its first mask."""
    problems = []
    if options.source is None:
        problems.append(
            "masker.custom.source: is not set; name a folder, pattern, picture, clip or JSON file"
        )
    if bool(options.width) != bool(options.height):
        problems.append("masker.custom: width and height are given together or not at all")
    if options.stretch and not options.width:
        problems.append("masker.custom.stretch: needs the frames' width and height")
    if problems:
        raise ConfigError(problems)
    from .stage import CustomMasker

    return CustomMasker(options)


@hookimpl
def mien_maskers() -> Iterator[MaskerProvider]:
    """One masker, `custom`."""
    yield MaskerProvider(
        name="custom",
        summary="Masks of your own: pictures, a clip, or polygons",
        options=Options,
        create=create,
    )
