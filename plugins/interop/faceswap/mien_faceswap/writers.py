"""Faces of ours as faceswap keeps them: PNG files that show the head, with a header."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from mien.arrays import Image
from mien.atomic import write_whole
from mien.errors import InputError
from mien.faceset import FaceFile, decode_picture
from mien.geometry import compose, invert, transform, warp

from .faces import is_head, to_header
from .geometry import square
from .png import put_together

_NARROW = 0.02
"""How much of its side a head may lack without a word."""


class PngWriter:
    """A PNG file for each face; a person's faces in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cut = self._narrow = 0

    @property
    def notes(self) -> list[str]:
        """What could not be carried over."""
        said = []
        if self._cut:
            said.append(f"{self._folder}: {self._cut} pictures were cut anew, around the head")
        if self._narrow:
            said.append(
                f"{self._folder}: {self._narrow} faces show less than the head that faceswap "
                "stores; their edges are drawn out to fill it"
            )
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left to do."""

    def add(self, face: FaceFile, /) -> bool:
        """Write one face; False where the same file is there already.

        Raises InputError where the picture cannot be decoded or no pose fits the face, OutputError
        where it cannot be written.
        """
        where = f"face '{face.name}'"
        try:
            whole = is_head(face.record)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error
        picture = face.data
        if not whole or face.suffix != ".png":
            picture = self._encode(face, whole, where)
            self._cut += 1
        data = put_together(picture, to_header(face.record, face.name), where)
        path = self._folder / face.person / f"{face.name}.png"
        try:
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                return False
        except OSError:
            pass  # there is none yet, or writing will say what is wrong
        write_whole(path, data)
        return True

    def _encode(self, face: FaceFile, whole: bool, where: str) -> bytes:
        import cv2

        size = face.record.size
        image: Image = decode_picture(face.data, size, where)
        if image.dtype != np.uint8:
            image = (image >> 8).astype(np.uint8)
        if not whole:
            wanted = square(face.record.frame_landmarks.astype(np.float64), size, "head")
            matrix = compose(invert(face.record.matrix), wanted)
            image = warp(image, matrix, size, cubic=True, border="replicate")
            corners = np.array([(0.0, 0.0), (size, 0.0), (0.0, size), (size, size)])
            seen = transform(invert(matrix), corners)
            reach = max(float((-seen).max()), float((seen - size).max()))
            self._narrow += reach > _NARROW * size
        done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        if not done:
            raise InputError(f"{where}: cannot be encoded as PNG")
        return bytes(data)
