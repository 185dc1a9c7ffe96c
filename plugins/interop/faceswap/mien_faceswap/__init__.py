"""Faces as faceswap keeps them: PNG files with a header, and alignments in `.fsa` files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mien.hooks import hookimpl

if TYPE_CHECKING:
    from mien.faceset import Alignments, FaceStore, FaceWriter, FrameFaces

FORM = "faceswap"
_SUFFIX = ".fsa"


@hookimpl
def mien_open_faceset(path: Path) -> FaceStore | None:
    """A folder of faceswap's PNG files."""
    from .store import open_store

    return open_store(path)


@hookimpl
def mien_open_face_writer(form: str, folder: Path) -> FaceWriter | None:
    """`faceswap` for PNG files."""
    if form != FORM:
        return None
    from .writers import PngWriter

    return PngWriter(folder)


@hookimpl
def mien_read_alignments(path: Path) -> Alignments | None:
    """An `.fsa` file."""
    if path.suffix.lower() != _SUFFIX:
        return None
    from .alignments import to_alignments
    from .fsa import read_fsa

    return to_alignments(read_fsa(path))


@hookimpl
def mien_write_alignments(form: str, path: Path, frames: Iterable[FrameFaces]) -> bool | None:
    """An `.fsa` file of version 2.4."""
    if form != FORM:
        return None
    from .alignments import to_tree
    from .fsa import write_fsa

    write_fsa(path, to_tree(frames))
    return True
