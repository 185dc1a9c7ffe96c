"""Faces of ours as DeepFaceLab keeps them: JPEG files in a folder, or one `faceset.pak`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from mien.atomic import reason, whole_file, write_whole
from mien.errors import InputError, OutputError
from mien.faceset import FaceFile, decode_picture

from . import pak
from .faces import NUMBERS, face_type_name, points_of, polys_of, to_info
from .jpeg import put_together, take_apart

_QUALITY = 100


class Writer:
    """What both writers do alike."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._anew = 0

    @property
    def notes(self) -> list[str]:
        """What could not be carried over."""
        if not self._anew:
            return []
        return [
            f"{self._folder}: {self._anew} pictures were encoded anew as JPEG of quality {_QUALITY}"
        ]

    def add(self, face: FaceFile, /) -> bool:
        """Write one face; False where the same one was there already."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is left to do."""

    def abandon(self) -> None:
        """Let go of what was not finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        self.abandon()

    def _jpeg(self, face: FaceFile) -> tuple[bytes, dict[str, Any]]:
        """The face's file, and its metadata."""
        where = f"face '{face.name}'"
        info, protocol = to_info(face.record, where)
        picture = face.data
        if face.suffix != ".jpg" or not take_apart(picture, where).readable:
            picture = _encode(face, where)
            self._anew += 1
        return put_together(picture, info, protocol, where), info


class JpegWriter(Writer):
    """A JPEG file for each face; a person's faces in a folder of their own."""

    def add(self, face: FaceFile, /) -> bool:
        """Write one face; False where the same file is there already.

        Raises InputError where the picture cannot be decoded, or its metadata is too large for the
        original; OutputError where it cannot be written.
        """
        data, _ = self._jpeg(face)
        path = self._folder / face.person / f"{face.name}.jpg"
        try:
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                return False
        except OSError:
            pass  # there is none yet, or writing will say what is wrong
        write_whole(path, data)
        return True


class PakWriter(Writer):
    """One `faceset.pak`, which appears when all is written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._infos: list[dict[str, Any]] = []
        self._files: list[int] = []
        self._open = ExitStack()
        self._beside: Any = None

    def add(self, face: FaceFile, /) -> bool:
        """Take one face in; as `JpegWriter.add`."""
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
                self._folder.mkdir(parents=True, exist_ok=True)
                made = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (the stack closes it)
                self._beside = self._open.enter_context(made)
            self._beside.write(data)
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot be written ({reason(error)})") from error
        self._files.append(len(data))
        return True

    def close(self) -> None:
        """Write the pack: its list stands before the files, and is known only now."""
        files, self._beside = self._beside, None
        if files is None:
            return
        path = self._folder / pak.NAME
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


def _encode(face: FaceFile, where: str) -> bytes:
    import cv2

    image = decode_picture(face.data, face.record.size, where)
    if image.dtype != np.uint8:
        image = (image >> 8).astype(np.uint8)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise InputError(f"{where}: cannot be encoded as JPEG")
    return bytes(data)
