"""Pictures as outputs: a folder, a numbered pattern, or one file; the whole of it or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..arrays import Image, as_dtype, as_float
from ..atomic import publish, reason
from ..errors import OutputError
from ..types import Frame
from .base import OutputPlan
from .contact import encode_picture
from .files import PICTURES, counter, partial_name
from .journal import NAME, Journal


class _Pictures:
    """What both writers tell about themselves."""

    _partial: Path

    @property
    def partial(self) -> Path:
        """Where the unfinished result lies: `folder.partial`, `picture.partial.png`."""
        return self._partial


class PictureWriter(_Pictures):
    """Frames written as pictures into a folder that gets its name by one rename at the end.

    path  a folder: files are named as the frames, or `000017.png`;
          a pattern such as `shot/frame_%05d.png`: files are named by frame index
    """

    def __init__(self, path: str | Path, plan: OutputPlan) -> None:
        """Raises OutputError where the folder holds other files or cannot be made."""
        path = Path(path)
        self._pattern = path.name if counter(path.name) is not None else ""
        self._folder = path.parent if self._pattern else path
        self._suffix = path.suffix.lower() if self._pattern else f".{plan.options.picture}"
        if self._suffix not in PICTURES:
            raise OutputError(f"{path}: '{self._suffix}' is no picture type; use .png, .jpg, .tif")
        if self._folder.resolve() == Path.cwd():
            raise OutputError(f"{path}: name a folder of its own, not the current one")
        self._partial = self._folder.with_name(f"{self._folder.name}.partial")
        self._plan = plan
        self._check()
        self._journal = Journal(self._partial, plan.resume)
        self._names = {name for line in self._journal.lines for name in line["files"]}

    @property
    def resumes_at(self) -> int:
        """The index of the first frame that is not on the disk yet."""
        return self._journal.resumes_at

    @property
    def notes(self) -> list[str]:
        """Whether what was there is of no use."""
        return list(self._journal.notes)

    def write(self, frame: Frame) -> None:
        """Add a picture.  Raises OutputError where the disk is full."""
        name = self._name(frame)
        self._journal.add(frame.index, [(name, encoded(self._folder / name, frame, self._plan))])
        self._names.add(name)

    def finish(self) -> Path:
        """Give the folder its name, by one rename."""
        if not self._names:
            self.keep_partial()
            raise OutputError(f"{self._folder}: not written, because there was no frame to write")
        self._journal.remove()
        try:
            publish(self._partial, self._folder)
        except OSError as err:
            (self._partial / NAME).touch()
            raise OutputError(
                f"{self._folder}: cannot get its name ({reason(err)}); "
                f"the pictures are kept in '{self._partial}'"
            ) from err
        return self._folder

    def keep_partial(self) -> Path | None:
        """Leave what there is under its partial name; None if nothing was written."""
        if self._names:
            return self._partial
        self._journal.throw_away()
        return None

    def _check(self) -> None:
        if self._folder.is_file() or (self._folder.is_dir() and any(self._folder.iterdir())):
            raise OutputError(
                f"{self._folder}: exists and is not empty; name a new folder or empty this one"
            )
        if not self._folder.parent.is_dir():
            raise OutputError(
                f"{self._folder}: there is no folder '{self._folder.parent}'; make it first"
            )

    def _name(self, frame: Frame) -> str:
        if self._pattern:
            return self._pattern % frame.index
        stem = frame.name or f"{frame.index:06d}"
        name = f"{stem}{self._suffix}"  # a.png and a.jpg of one folder must not meet in one file
        return name if name not in self._names else f"{stem}_{frame.index:06d}{self._suffix}"


class SinglePictureWriter(_Pictures):
    """One frame written as one picture file."""

    def __init__(self, path: str | Path, plan: OutputPlan) -> None:
        """Raises OutputError where the folder is missing."""
        self._path, self._plan = Path(path), plan
        self._partial = partial_name(self._path)
        self._written = False
        if not self._path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder '{self._path.parent}'; make it first")
        if plan.target.frames > 1:
            raise OutputError(
                f"{path}: is one picture, but the clip has {plan.target.frames} frames; name a "
                f"folder, or a pattern such as '{self._path.stem}_%05d{self._path.suffix}'"
            )

    @property
    def notes(self) -> list[str]:
        """Nothing is ever written otherwise than asked."""
        return []

    def write(self, frame: Frame) -> None:
        """Write the picture.  Raises OutputError for a second frame."""
        if self._written:
            raise OutputError(f"{self._path}: is one picture, but the clip has more frames")
        data = encoded(self._partial, frame, self._plan)
        try:
            with self._partial.open("wb") as file:
                file.write(data)
        except OSError as err:
            self._partial.unlink(missing_ok=True)
            raise OutputError(f"{self._path}: cannot be written ({reason(err)})") from err
        self._written = True

    def finish(self) -> Path:
        """Give the picture its name."""
        if not self._written:
            raise OutputError(f"{self._path}: not written, because there was no frame to write")
        publish(self._partial, self._path)
        return self._path

    def keep_partial(self) -> Path | None:
        """Leave the picture under its partial name; None if nothing was written."""
        return self._partial if self._written else None


def encoded(path: Path, frame: Frame, plan: OutputPlan) -> bytes:
    """The bytes of a picture file, in the asked depth or that which the frame has."""
    suffix = path.suffix.lower()
    image = _in_depth(frame, plan.options.bits)
    if plan.target.pixel_format == "gray" and suffix != ".exr":
        image = np.ascontiguousarray(image[..., :1])
    data = encode_picture(suffix, image)
    if data is None:
        raise OutputError(f"{path}: pictures cannot be written as '{path.suffix}'; use .png")
    return data


def _in_depth(frame: Frame, bits: str) -> Image:
    """The picture with as many bits as `bits` asks for; auto means as many as the clip has."""
    wanted = frame.bits if bits == "auto" else int(bits)
    dtype = np.uint8 if wanted <= 8 else np.uint16 if wanted <= 16 else np.float32
    if dtype == frame.image.dtype or (bits == "auto" and dtype == np.float32):
        return frame.image
    return as_dtype(as_float(frame.image), dtype)
