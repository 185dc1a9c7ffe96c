"""The model's part of the line: new faces, those of a second pass, and what maskers see in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..pipeline import FaceStep, face_crop, largest
from ..stages import Neighbours
from ..types import Crop, Packet, replace
from .options import MergeOptions, OptionsFor, options_for

if TYPE_CHECKING:
    from ..arrays import Mask
    from ..stages import MaskerStage, SwapStage
    from ..types import Swap


class Failures(dict[int, str]):
    """Frames in which a face keeps its own look although it should have got a new one, and why."""

    def note(self, frame: int, reason: str) -> None:
        """Remember the first reason of a frame."""
        self.setdefault(frame, reason)


class SwapStep(FaceStep[Crop, "Swap"]):
    """Gives the chosen faces their new look."""

    def __init__(
        self, model: SwapStage, merge: MergeOptions | OptionsFor, failures: Failures | None = None
    ) -> None:
        super().__init__(model)
        self._spec, self._options = model.spec, options_for(merge)
        self._failures = Failures() if failures is None else failures
        self._again = _SecondPass(model, self._options)

    def __call__(self, batch: Sequence[Packet | Neighbours[Packet]], /) -> list[Packet]:
        """One packet per packet."""
        packets = self._again.after(super().__call__(batch))
        return [self._checked(packet) for packet in packets]

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """The face with the largest box, or every face."""
        face = packet.faces[position]
        if face.landmarks is None:
            return None
        options = self._options(packet, face)
        if options.faces == "largest" and position != largest(packet.faces):
            return None
        try:
            crop = face_crop(packet.frame, face, self._spec)
        except ValueError as error:
            self._failures.note(packet.frame.index, str(error))
            return None
        return _presharpened(crop, options.presharpen) if options.presharpen else crop

    def answer(self, packet: Packet, answers: dict[int, Swap]) -> Packet:
        """The packet with one swap, or None, per face."""
        return replace(packet, swaps=tuple(answers.get(i) for i in range(len(packet.faces))))

    def _checked(self, packet: Packet) -> Packet:
        """Without the swaps that are not numbers: such a face keeps the plate, all of it."""
        from .placing import is_finite

        if all(swap is None or is_finite(swap.image) for swap in packet.swaps):
            return packet
        self._failures.note(packet.frame.index, "the model gave values that are not numbers")
        swaps = tuple(swap if swap and is_finite(swap.image) else None for swap in packet.swaps)
        return replace(packet, swaps=swaps)


class _SecondPass(FaceStep[Crop, "Swap"]):
    """The model once more, on the faces that it made, where the options ask for it."""

    def __init__(self, model: SwapStage, options: OptionsFor) -> None:
        super().__init__(model)
        self._spec, self._options = model.spec, options

    def after(self, packets: list[Packet]) -> list[Packet]:
        """The packets with the swaps of swaps."""
        windowed = any(self.window)
        return self([Neighbours(item=packet) if windowed else packet for packet in packets])

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """Every new face that shall be seen again."""
        swap = packet.swaps[position] if packet.swaps else None
        face = packet.faces[position]
        if swap is None or not self._options(packet, face).two_pass:
            return None
        return swap_crop(packet, position, swap, self._spec)

    def answer(self, packet: Packet, answers: dict[int, Swap]) -> Packet:
        """The second pass's face; the target's mask of the first, which saw the target."""
        swaps = list(packet.swaps)
        for position, second in answers.items():
            first = packet.swaps[position]
            assert first is not None
            masks = dict(second.masks)
            if "target" in first.masks and first.image.shape == second.image.shape:
                masks["target"] = first.masks["target"]
            swaps[position] = replace(second, masks=masks)
        return replace(packet, swaps=tuple(swaps))


class SwapMaskStep(FaceStep[Crop, "Mask"]):
    """Gives every new face the mask that a masker sees in it, as `NAME.swap`."""

    def __init__(self, name: str, masker: MaskerStage) -> None:
        super().__init__(masker)
        self._name, self._spec = f"{name}.swap", masker.spec

    def ask(self, packet: Packet, position: int) -> Crop | None:
        """Every face that has a swap."""
        swap = packet.swaps[position] if packet.swaps else None
        return None if swap is None else swap_crop(packet, position, swap, self._spec)

    def answer(self, packet: Packet, answers: dict[int, Mask]) -> Packet:
        """The swaps with the new mask beside those that they had."""
        from ..geometry import compose, crop_matrix, invert, warp

        swaps = list(packet.swaps)
        for position, mask in answers.items():
            swap, landmarks = packet.swaps[position], packet.faces[position].landmarks
            assert swap is not None
            assert landmarks is not None
            matrix = crop_matrix(landmarks, self._spec.face_type, self._spec.size, self._spec.scale)
            size = swap.image.shape[0]
            seen = warp(mask, compose(invert(matrix), swap.matrix), size)
            swaps[position] = replace(swap, masks={**swap.masks, self._name: seen})
        return replace(packet, swaps=tuple(swaps))


def swap_crop(packet: Packet, position: int, swap: Swap, spec: Any) -> Crop | None:
    """The new face, on its plate, as a plugin wants to see it; None where nothing can be cut."""
    from .face import seen_with_swap

    face = packet.faces[position]
    if face.landmarks is None or not swap.image.size:
        return None
    return seen_with_swap(packet.frame, face, swap, spec)


def _presharpened(crop: Crop, amount: float) -> Crop:
    from .face import sharper_crop

    return sharper_crop(crop, amount)
