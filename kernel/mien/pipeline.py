"""The line of work, frame → face → mask → model → composite, as steps for the runner.

`mien.finding` turns frames into packets of aligned faces; here is what happens to them.  A
`FaceStep` takes a fixed run of frames, flattens what it asks about their faces, cuts that into the
plugin's batches and puts the answers back, so that one net call serves the faces of many frames
and batches are cut the same way in every run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from .runner import Step
from .stages import ColorPair, Neighbours, Stage, StageBase
from .types import Crop, CropSpec, Face, FaceMask, Frame, Packet, replace

if TYPE_CHECKING:
    from .arrays import Image, Mask
    from .compose import MergeOptions
    from .stages import BlendStage, ColorTransferStage, MaskerStage, SwapStage
    from .types import Swap

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

FacesToSwap = Literal["largest", "all"]

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
        for number, packet in enumerate(packets):
            for position in range(len(packet.faces)):
                question = self.ask(packet, position)
                if question is not None:
                    places.append((number, position))
                    questions.append(self._around(question, batch[number], position))
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

    def _around(
        self, question: Ask, place: Packet | Neighbours[Packet], position: int
    ) -> Ask | Neighbours[Ask]:
        if not isinstance(place, Neighbours):
            return question
        face = place.item.faces[position]
        return Neighbours(
            item=question,
            before=self._same(face, place.before),
            after=self._same(face, place.after),
        )

    def _same(self, face: Face, packets: Sequence[Packet]) -> tuple[Ask, ...]:
        found = []
        for packet in packets:
            position = same_face(face, packet.faces)
            question = self.ask(packet, position) if position >= 0 else None
            if question is not None:
                found.append(question)
        return tuple(found)


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


class SwapStep(FaceStep[Crop, "Swap"]):
    """Gives the chosen faces their new look, with the mask that shows how much will be seen."""

    def __init__(self, model: SwapStage, merge: MergeOptions) -> None:
        super().__init__(model)
        self._spec, self._merge = model.spec, merge
        self.crowded = 0

    def __call__(self, batch: Sequence[Packet | Neighbours[Packet]], /) -> list[Packet]:
        """One packet per packet; counts the frames in which a face was left out."""
        packets = super().__call__(batch)
        self.crowded += sum(
            1
            for packet in packets
            if 0 < sum(s is not None for s in packet.swaps) < len(packet.faces)
        )
        return packets

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """The face with the largest box, or every face."""
        face = packet.faces[position]
        if face.landmarks is None:
            return None
        if self._merge.faces == "largest" and position != _largest(packet.faces):
            return None
        return face_crop(packet.frame, face, self._spec)

    def answer(self, packet: Packet, answers: dict[int, Swap]) -> Packet:
        """The packet with one swap, or None, per face."""
        from .compose import face_alpha

        swaps: list[Swap | None] = [None] * len(packet.faces)
        for position, swap in answers.items():
            alpha = face_alpha(packet.frame, packet.faces[position], swap, self._merge)
            swaps[position] = replace(swap, alpha=alpha)
        return replace(packet, swaps=tuple(swaps))


class ColorStep(FaceStep[ColorPair, "Image"]):
    """Gives every swap the colours of its plate."""

    def __init__(self, transfer: ColorTransferStage) -> None:
        super().__init__(transfer)

    def ask(self, packet: Packet, position: int) -> ColorPair | None:
        """Every face that has a swap."""
        from .compose import plate_crop

        swap = packet.swaps[position] if packet.swaps else None
        if swap is None or swap.alpha is None:
            return None
        return ColorPair(
            swap=swap.image,
            plate=plate_crop(packet.frame, swap),
            area=swap.alpha,
            frame_index=packet.frame.index,
            track=packet.faces[position].track,
        )

    def answer(self, packet: Packet, answers: dict[int, Image]) -> Packet:
        """The swaps in their new colours."""
        swaps = [
            replace(swap, image=answers[position]) if swap and position in answers else swap
            for position, swap in enumerate(packet.swaps)
        ]
        return replace(packet, swaps=tuple(swaps))


class BlendStep(StageBase):
    """Puts every swap on its frame, the first face lowest; the rest of the frame stays as it is."""

    def __init__(self, blend: BlendStage, merge: MergeOptions) -> None:
        self._blend, self._merge = blend, merge
        self.batch_size = FRAMES_AT_ONCE

    def open(self) -> None:
        """Open the blend."""
        self._blend.open()

    def close(self) -> None:
        """Close the blend."""
        self._blend.close()

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets with their finished frames."""
        return [self._one(packet) for packet in batch]

    def _one(self, packet: Packet) -> Packet:
        from .compose import apply, paste_matrix, to_frame

        placed = []
        for face, swap in zip(packet.faces, packet.swaps, strict=False):
            if swap is not None and swap.alpha is not None:
                matrix = paste_matrix(swap, self._merge)
                put = to_frame(packet.frame, swap.image, swap.alpha, matrix, track=face.track)
                if not put.is_empty:
                    placed.append(put)
        if not placed:
            return packet
        blended = [self._blend([put.pair])[0] for put in placed]
        frame = apply(packet.frame, zip(placed, blended, strict=True))
        return replace(packet, frame=frame)


def mask_steps(maskers: Sequence[tuple[str, MaskerStage]]) -> list[Step]:
    """The maskers, one after the other, each under its name."""
    return [Step(name=f"mask {name}", stage=MaskStep(name, masker)) for name, masker in maskers]


def merge_steps(
    model: SwapStage, color: ColorTransferStage | None, blend: BlendStage, merge: MergeOptions
) -> list[Step]:
    """The lower half of the line: packets with landmarks to finished frames."""
    steps = [Step(name="swap", stage=SwapStep(model, merge))]
    if color is not None:
        steps.append(Step(name="colour", stage=ColorStep(color)))
    return [*steps, Step(name="blend", stage=BlendStep(blend, merge))]


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


def _largest(faces: Sequence[Face]) -> int:
    def area(position: int) -> float:
        x0, y0, x1, y1 = faces[position].box
        return (x1 - x0) * (y1 - y0)

    return max(range(len(faces)), key=area)
