"""The built-in readers and writers: local video files and pictures.  Light until one is opened."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, OutputError
from ..hooks import hookimpl
from .base import ClipWriter, OutputPlan, Source
from .files import PICTURES, VIDEO_OUTPUTS, counter

_WILD = frozenset("*?[")


@hookimpl(trylast=True)
def mien_open_source(uri: str) -> Source | None:
    """A local video file, picture, folder, pattern or glob; None for an address like `x://…`."""
    if "://" in uri:
        return None
    path = Path(uri)
    if path.is_file() and path.suffix.lower() not in PICTURES:
        from .video import VideoSource

        return VideoSource(path)
    named = counter(path.name) is not None or bool(_WILD & set(uri))
    if not path.exists() and not named:
        raise InputError(f"{uri}: no such file or folder; check the spelling of the path")
    from .pictures import PictureSource

    return PictureSource(uri)


@hookimpl(trylast=True)
def mien_open_writer(uri: str, plan: OutputPlan) -> ClipWriter | None:
    """A local video file, picture, folder or pattern; None for an address like `x://…`."""
    if "://" in uri:
        return None
    path = Path(uri)
    suffix = path.suffix.lower()
    if suffix in VIDEO_OUTPUTS and not path.is_dir():
        if plan.resume:
            from .segments import SegmentWriter

            return SegmentWriter(path, plan)
        from .write import VideoWriter

        return VideoWriter(path, plan)
    from .write_pictures import PictureWriter, SinglePictureWriter

    if counter(path.name) is not None or path.is_dir() or not suffix:
        return PictureWriter(path, plan)
    if suffix in PICTURES:
        return SinglePictureWriter(path, plan)
    raise OutputError(
        f"{uri}: cannot write a '{suffix}' file; name the output {', '.join(VIDEO_OUTPUTS)}, "
        "a folder, or a pattern such as 'frame_%05d.png'"
    )


def open_source(uri: str | Path) -> Source:
    """Open a local clip without the plugins.  Raises InputError with a sentence."""
    source = mien_open_source(str(uri))
    if source is None:
        raise InputError(f"{uri}: only local clips can be opened here; name a file or folder")
    return source


def open_writer(uri: str | Path, plan: OutputPlan) -> ClipWriter:
    """Open a local output without the plugins.  Raises OutputError with a sentence."""
    writer = mien_open_writer(str(uri), plan)
    if writer is None:
        raise OutputError(f"{uri}: only local outputs can be written here; name a file or folder")
    return writer
