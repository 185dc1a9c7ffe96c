"""Faces of ours as DeepFaceLab keeps them: JPEG files, one `faceset.pak`, or one `meta.dat`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mien.atomic import reason, whole_file
from mien.errors import InputError, OutputError
from mien.faceset import FaceFile
from mien.faceset.foreign import ForeignWriter, picture_of

from . import metadat, pak
from .faces import NUMBERS, face_type_name, points_of, polys_of, to_info
from .jpeg import put_together, take_apart

_QUALITY = 100


class JpegWriter(ForeignWriter):
    """A JPEG file for each face; a person's faces in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._anew = 0

    @property
    def notes(self) -> list[str]:
        """What could not be carried over."""
        if not self._anew:
            return []
        return [
            f"{self.folder}: {self._anew} pictures were encoded anew as JPEG of quality {_QUALITY}"
        ]

    def encoded(self, face: FaceFile) -> bytes:
        """The face's file.

        Raises InputError where the picture cannot be decoded, or its metadata is too large for the
        original.
        """
        return self._jpeg(face)[0]

    def _jpeg(self, face: FaceFile) -> tuple[bytes, dict[str, Any]]:
        """The face's file, and its metadata."""
        where = f"face '{face.name}'"
        info, protocol = to_info(face.record, where)
        picture = face.data
        if face.suffix != ".jpg" or not take_apart(picture, where).readable:
            picture = _encode(face, where)
            self._anew += 1
        return put_together(picture, info, protocol, where), info


class PakWriter(JpegWriter):
    """One `faceset.pak`, which appears when all is written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._infos: list[dict[str, Any]] = []
        self._files: list[int] = []
        self._open = ExitStack()
        self._beside: Any = None

    def add(self, face: FaceFile, /) -> bool:
        """Take one face in; as `JpegWriter.encoded`."""
        data, info = self._jpeg(face)
        record = face.record
        brow = info.get("eyebrows_expand_mod")
        self._infos.append(
            pak.entry(
                name=f"{face.name}.jpg",
                person=face.person or None,
                face_type=NUMBERS[face_type_name(record.face_type)],
                shape=(record.size, record.size, 3),
                landmarks=points_of(info),
                polys=polys_of(info),
                mask=info.get("xseg_mask"),
                brow=1.0 if brow is None else float(brow),
                source=info.get("source_filename"),
            )
        )
        try:
            if self._beside is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                made = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115  (the stack closes it)
                self._beside = self._open.enter_context(made)
            self._beside.write(data)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({reason(error)})") from error
        self._files.append(len(data))
        return True

    def close(self) -> None:
        """Write the pack: its list stands before the files, and is known only now."""
        files, self._beside = self._beside, None
        if files is None:
            return
        path = self.folder / pak.NAME
        try:
            with self._open, whole_file(path) as beside, beside.open("wb") as stream:
                pak.write_pack(stream, self._infos, self._files)
                files.seek(0)
                shutil.copyfileobj(files, stream, 1 << 20)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({reason(error)})") from error

    def abandon(self) -> None:
        """Let go of what was not finished."""
        self._beside = None
        self._open.close()


class MetaWriter(ForeignWriter):
    """One `meta.dat` with the metadata of all faces, no pictures; it appears when all is known.

    Faces go by the names that their files have as JPEG: their pictures may be edited meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._saved: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}

    def add(self, face: FaceFile, /) -> bool:
        """Take one face in.

        Raises InputError where another had its name: the file knows names, but no folders.
        """
        name, size = f"{face.name}.jpg", face.record.size
        if name in self._saved:
            raise InputError(f"face '{face.name}': another face has this name, of someone else")
        info, _ = to_info(face.record, f"face '{face.name}'")
        known = {key: each for key, each in info.items() if each is not None}
        self._saved[name] = ((size, size, 3), known)
        return True

    def close(self) -> None:
        """Write the file.  Raises OutputError."""
        if self._saved:
            metadat.write_meta(self.folder / metadat.NAME, self._saved)


def _encode(face: FaceFile, where: str) -> bytes:
    import cv2

    image = picture_of(face, where)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise InputError(f"{where}: cannot be encoded as JPEG")
    return bytes(data)
