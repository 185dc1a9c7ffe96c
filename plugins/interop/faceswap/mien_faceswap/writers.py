"""Faces of ours as faceswap keeps them: PNG files that show the head, with a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mien.errors import InputError
from mien.faceset import FaceFile
from mien.faceset.foreign import ForeignWriter, picture_of
from mien.geometry import compose, invert, transform, warp

from .faces import is_head, to_header
from .geometry import square
from .png import put_together

_NARROW = 0.02
"""How much of its side a head may lack without a word."""


class PngWriter(ForeignWriter):
    """A PNG file for each face; a person's faces in a folder of their own."""

    suffix = ".png"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._cut = self._narrow = 0

    @property
    def notes(self) -> list[str]:
        """What could not be carried over."""
        said = []
        if self._cut:
            said.append(f"{self.folder}: {self._cut} pictures were cut anew, around the head")
        if self._narrow:
            said.append(
                f"{self.folder}: {self._narrow} faces show less than the head that faceswap "
                "stores; their edges are drawn out to fill it"
            )
        return said

    def encoded(self, face: FaceFile) -> bytes:
        """The face's file.

        Raises InputError where the picture cannot be decoded or no pose fits the face.
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
        return put_together(picture, to_header(face.record, face.name), where)

    def _encode(self, face: FaceFile, whole: bool, where: str) -> bytes:
        import cv2

        size, image = face.record.size, picture_of(face, where)
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
