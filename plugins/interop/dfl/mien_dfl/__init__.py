"""Faces as DeepFaceLab keeps them: JPEG files with metadata, `faceset.pak` and `meta.dat`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mien.hooks import hookimpl

if TYPE_CHECKING:
    from mien.faceset import FaceStore, FaceWriter

FORMS = ("dfl", "dfl-pak", "dfl-meta")


@hookimpl
def mien_open_faceset(path: Path) -> FaceStore | None:
    """A folder with a `faceset.pak` or DeepFaceLab's JPEG files, or a `.pak` file itself."""
    from .store import open_store

    return open_store(path)


@hookimpl
def mien_open_face_writer(form: str, folder: Path) -> FaceWriter | None:
    """`dfl` for JPEG files, `dfl-pak` for one `faceset.pak`, `dfl-meta` for one `meta.dat`."""
    if form not in FORMS:
        return None
    from .writers import JpegWriter, MetaWriter, PakWriter

    makers = {"dfl": JpegWriter, "dfl-pak": PakWriter, "dfl-meta": MetaWriter}
    return makers[form](folder)
