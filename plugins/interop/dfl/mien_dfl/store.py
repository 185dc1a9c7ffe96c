"""DeepFaceLab's facesets as this program reads them: a folder of JPEG files, or one pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.errors import InputError
from mien.faceset import FaceRecord, FaceStore
from mien.faceset.foreign import ForeignStore, pictures_of, read_bytes

from . import metadat, pak
from .faces import NUMBERS, to_record
from .jpeg import Parts, take_apart


def open_store(path: Path) -> FaceStore | None:
    """The faces of a folder or pack; None where they are not DeepFaceLab's.

    Raises InputError where they are, and cannot be read.
    """
    if path.is_file():
        return Pack(path) if path.suffix.lower() == ".pak" else None
    packed = path / pak.NAME
    if packed.is_file():
        return Pack(packed)
    listed, ours = pictures_of(path, "DeepFaceLab")
    saved = path / metadat.NAME
    if not listed or not (ours or saved.is_file()):
        return None
    return JpegFolder(listed, metadat.read_meta(saved) if saved.is_file() else {})


class JpegFolder(ForeignStore):
    """A folder of JPEG files.

    A picture that lost its metadata, as happens in other programs, takes what `meta.dat` saved.
    """

    def __init__(self, paths: Sequence[Path], saved: metadat.Saved) -> None:
        super().__init__(paths)
        self._saved = saved

    def taken(self, path: Path) -> tuple[bytes, FaceRecord] | None:
        """Picture and record; None where the picture is none of DeepFaceLab's."""
        if path.suffix.lower() == ".png":
            return None
        where = f"face '{path}'"
        parts = take_apart(read_bytes(path, where), where)
        if parts.info is not None:
            return parts.picture, _record_of(parts, where)
        saved = self._saved.get(path.name)
        if saved is None:
            return None
        (height, width, _), info = saved
        record = to_record(info, width, height, where)
        if parts.width != parts.height:
            raise InputError(f"{where}: was saved square, is {parts.width}x{parts.height} now")
        return parts.picture, record.resized(parts.width)


class Pack(ForeignStore):
    """One `faceset.pak`."""

    def __init__(self, path: Path) -> None:
        """Read the list.  Raises InputError where it is damaged, refused or empty."""
        self._path = path
        packed = pak.read_pack(path)
        if not packed:
            raise InputError(f"faceset '{path}': holds no face")
        self._packed: dict[Path, pak.Packed] = {}
        for each in packed:
            place = path.parent / each.person / each.name
            number = 1
            while place in self._packed:
                number += 1
                place = place.with_name(f"{Path(each.name).stem}-{number}{place.suffix}")
            self._packed[place] = each
        super().__init__(tuple(self._packed))

    def person(self, path: Path) -> str:
        """Of whom a face is, as the pack says."""
        return self._packed[path].person

    def taken(self, path: Path) -> tuple[bytes, FaceRecord]:
        """Picture and record."""
        where = f"face '{path}'"
        parts = take_apart(self._raw(path, where), where)
        if parts.info is None:
            # The file lost its metadata: the pack repeats the most of it.
            return parts.picture, _by_pack(self._packed[path].info, parts, where)
        return parts.picture, _record_of(parts, where)

    def _raw(self, path: Path, where: str) -> bytes:
        each = self._packed[path]
        try:
            with self._path.open("rb") as stream:
                stream.seek(each.start)
                return stream.read(each.size)
        except OSError as error:
            raise InputError(f"{where}: cannot be read ({error.strerror})") from error


def _record_of(parts: Parts, where: str) -> FaceRecord:
    assert parts.info is not None
    return to_record(parts.info, parts.width, parts.height, where, protocol=parts.protocol)


def _by_pack(table: Mapping[str, Any], parts: Parts, where: str) -> FaceRecord:
    kind = getattr(table.get("face_type"), "value", 2)
    info = {
        "face_type": next((name for name, value in NUMBERS.items() if value == kind), None),
        "landmarks": table.get("landmarks"),
        "source_filename": table.get("source_filename"),
        "seg_ie_polys": table.get("seg_ie_polys"),
        "xseg_mask": table.get("xseg_mask_compressed"),
        "eyebrows_expand_mod": table.get("eyebrows_expand_mod"),
    }
    known = {key: value for key, value in info.items() if value is not None}
    return to_record(known, parts.width, parts.height, where)
