"""Who a face is, where an embedder is installed, and whether that person is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..arrays import unit_vector
from ..pipeline import FaceStep, face_crop
from ..stages import StageBase
from ..types import Crop, Face, Packet, replace

if TYPE_CHECKING:
    from ..arrays import Vector
    from ..stages import EmbedderStage


class EmbedStep(FaceStep[Crop, "Vector"]):
    """Gives every face the vector that tells people apart."""

    def __init__(self, embedder: EmbedderStage) -> None:
        super().__init__(embedder)
        self._spec = embedder.spec

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """Every aligned face whose identity is not known yet."""
        face = packet.faces[position]
        if face.landmarks is None or face.identity is not None:
            return None
        return face_crop(packet.frame, face, self._spec)

    def answer(self, packet: Packet, answers: dict[int, Vector]) -> Packet:
        """The faces with their identities, as unit vectors."""
        faces = [
            replace(face, identity=unit_vector(answers[position])) if position in answers else face
            for position, face in enumerate(packet.faces)
        ]
        return replace(packet, faces=tuple(faces))


class WantedStep(StageBase):
    """Leaves out the faces of the wrong people."""

    batch_size = 8

    def __init__(self, keep: Sequence[Vector], drop: Sequence[Vector], same: float) -> None:
        self._keep, self._drop, self._same = tuple(keep), tuple(drop), same

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets with fewer faces."""
        return [
            replace(packet, faces=tuple(face for face in packet.faces if self._is_wanted(face)))
            for packet in batch
        ]

    def _is_wanted(self, face: Face) -> bool:
        if face.identity is None:
            return not self._keep
        wanted = not self._keep or self._is_one_of(face.identity, self._keep)
        return wanted and not self._is_one_of(face.identity, self._drop)

    def _is_one_of(self, identity: Vector, people: Sequence[Vector]) -> bool:
        return any(float(identity @ person) >= self._same for person in people)
