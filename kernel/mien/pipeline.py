"""Steps on found faces for the runner: what masks and merging share.

`mien.finding` turns frames into packets of aligned faces, `mien.merging` puts swaps into them.  A
`FaceStep` takes a fixed run of frames, flattens what it asks about their faces, cuts that into the
plugin's batches and puts the answers back, so that one net call serves the faces of many frames
and batches are cut the same way in every run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .runner import Step
from .stages import Neighbours, Stage, StageBase
from .types import Crop, CropSpec, Face, FaceMask, Frame, Packet, replace

if TYPE_CHECKING:
    from .arrays import Mask
    from .stages import MaskerStage

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

FRAMES_AT_ONCE = 8
"""How many frames a step on faces takes together; enough to fill a net's batch with one face a
frame, few enough that a clip's end waits for nothing."""


class FaceStep(StageBase, ABC, Generic[Ask, Answer]):
    """A plugin's stage on faces, lifted to packets.

    A subclass says what to ask about a face (None: nothing) and what to do with the answers.  A
    plugin with a `window` gets each question with those about the same face in the frames around.
    """

    def __init__(self, stage: Stage[Any, Answer]) -> None:
        self._stage = stage
        self.batch_size = max(FRAMES_AT_ONCE, stage.batch_size)
        self.window = stage.window

    def open(self) -> None:
        """Open the plugin's stage."""
        self._stage.open()

    def close(self) -> None:
        """Close the plugin's stage."""
        self._stage.close()

    @abstractmethod
    def ask(self, packet: Packet, position: int) -> Ask | None:
        """What the plugin is asked about one face, or None."""

    @abstractmethod
    def answer(self, packet: Packet, answers: dict[int, Answer]) -> Packet:
        """The packet with the plugin's answers, by position of the face."""

    def __call__(self, batch: Sequence[Packet | Neighbours[Packet]], /) -> list[Packet]:
        """One packet per packet."""
        packets = [each.item if isinstance(each, Neighbours) else each for each in batch]
        places: list[tuple[int, int]] = []
        questions: list[Any] = []
        asked = _Asked(self.ask)
        for number, packet in enumerate(packets):
            for position in range(len(packet.faces)):
                question = asked(packet, position)
                if question is not None:
                    places.append((number, position))
                    questions.append(_around(question, batch[number], position, asked))
        answers: list[dict[int, Answer]] = [{} for _ in packets]
        for (number, position), given in zip(places, self._work(questions), strict=True):
            answers[number][position] = given
        return [
            self.answer(packet, given) if given else packet
            for packet, given in zip(packets, answers, strict=True)
        ]

    def _work(self, questions: Sequence[Any]) -> list[Answer]:
        size = self._stage.batch_size
        answers: list[Answer] = []
        for start in range(0, len(questions), size):
            part = questions[start : start + size]
            given = self._stage(part)
            if len(given) != len(part):
                raise ValueError(f"gave {len(given)} results for {len(part)} faces")
            answers += given
        return answers


class _Asked(Generic[Ask]):
    """The questions of one batch, each made once: windows overlap, and a question is a crop."""

    def __init__(self, ask: Callable[[Packet, int], Ask | None]) -> None:
        self._ask = ask
        self._made: dict[tuple[int, int], Ask | None] = {}

    def __call__(self, packet: Packet, position: int) -> Ask | None:
        key = id(packet), position  # the batch holds the packets, so no other gets the id
        if key not in self._made:
            self._made[key] = self._ask(packet, position)
        return self._made[key]

    def same(self, face: Face, packets: Sequence[Packet]) -> tuple[Ask, ...]:
        """The questions about the same face in other frames."""
        places = ((packet, same_face(face, packet.faces)) for packet in packets)
        found = (self(packet, position) for packet, position in places if position >= 0)
        return tuple(question for question in found if question is not None)


def _around(
    question: Ask, place: Packet | Neighbours[Packet], position: int, asked: _Asked[Ask]
) -> Ask | Neighbours[Ask]:
    if not isinstance(place, Neighbours):
        return question
    face = place.item.faces[position]
    return Neighbours(
        item=question,
        before=asked.same(face, place.before),
        after=asked.same(face, place.after),
    )


class MaskStep(FaceStep[Crop, "Mask"]):
    """Gives every face a mask under the masker's name."""

    def __init__(self, name: str, masker: MaskerStage) -> None:
        super().__init__(masker)
        self._name, self._spec = name, masker.spec
        self._blind = bool(getattr(masker, "blind", False))

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """Every face with landmarks that has no such mask yet."""
        face = packet.faces[position]
        if face.landmarks is None or self._name in face.masks:
            return None
        return face_crop(packet.frame, face, self._spec, blind=self._blind)

    def answer(self, packet: Packet, answers: dict[int, Mask]) -> Packet:
        """The faces with the new mask beside those that they had."""
        from .geometry import crop_matrix

        spec = self._spec
        faces = list(packet.faces)
        for position, mask in answers.items():
            face = faces[position]
            assert face.landmarks is not None
            matrix = crop_matrix(face.landmarks, spec.face_type, spec.size, spec.scale)
            placed = FaceMask(mask=mask, matrix=matrix)
            faces[position] = replace(face, masks={**face.masks, self._name: placed})
        return replace(packet, faces=tuple(faces))


def mask_steps(maskers: Sequence[tuple[str, MaskerStage]]) -> list[Step]:
    """The maskers, one after the other, each under its name."""
    return [Step(name=f"mask {name}", stage=MaskStep(name, masker)) for name, masker in maskers]


def same_face(face: Face, faces: Sequence[Face]) -> int:
    """Position of the same person in another frame: by track, else by overlap; -1 for none."""
    if face.track >= 0:
        return next((i for i, other in enumerate(faces) if other.track == face.track), -1)
    from .geometry.boxes import overlap

    overlaps = [overlap(face.box, other.box) for other in faces]
    best = max(range(len(faces)), key=overlaps.__getitem__, default=-1)
    return best if best >= 0 and overlaps[best] > 0.3 else -1


def face_crop(frame: Frame, face: Face, spec: CropSpec, *, blind: bool = False) -> Crop:
    """The crop of an aligned face that a plugin asked for; black for one that is blind."""
    from .geometry import make_crop

    return make_crop(frame, face, spec, blind=blind)


def largest(faces: Sequence[Face]) -> int:
    """Position of the face with the largest box."""

    def area(position: int) -> float:
        x0, y0, x1, y1 = faces[position].box
        return (x1 - x0) * (y1 - y0)

    return max(range(len(faces)), key=area)
