"""The lower half of the line, as steps for the runner: packets with landmarks to finished frames.

    swap ─► maskers on the new face ─► alpha ─► enhance ─► colour ─► blend

Every step asks `options_for(packet, face)` what is wanted of this face in this frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..pipeline import FRAMES_AT_ONCE, FaceStep, same_face
from ..runner import Step
from ..stages import ColorPair, Neighbours, StageBase
from ..types import Packet, replace
from .options import MergeOptions, OptionsFor, options_for
from .swapping import Failures, SwapMaskStep, SwapStep

if TYPE_CHECKING:
    from numpy.random import Generator

    from ..arrays import Image
    from ..stages import (
        Blended,
        BlendStage,
        ColorTransferStage,
        EnhancerStage,
        MaskerStage,
        SwapStage,
    )
    from ..types import Face, Swap
    from .placing import Part, Placed

Chance = Callable[..., "Generator"]


class Shown(NamedTuple):
    """A face as it was put on its frame: in which place, with what picture and alpha."""

    face: Face
    options: MergeOptions
    placed: Placed
    blended: Blended


Seen = Callable[[Packet, Sequence[Shown]], None]


class AlphaStep(StageBase):
    """Says how much of every swap will be seen."""

    batch_size = FRAMES_AT_ONCE

    def __init__(self, merge: MergeOptions | OptionsFor) -> None:
        self._options = options_for(merge)

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets, every swap with its alpha."""
        return [self._one(packet) for packet in batch]

    def _one(self, packet: Packet) -> Packet:
        from .masks import face_alpha

        if not any(packet.swaps):
            return packet
        swaps: list[Swap | None] = []
        for face, swap in zip(packet.faces, packet.swaps, strict=True):
            if swap is None or not swap.image.size:
                swaps.append(None)
                continue
            options = self._options(packet, face)
            alpha = face_alpha(packet.frame, face, swap, options)
            swaps.append(replace(swap, alpha=alpha))
        return replace(packet, swaps=tuple(swaps))


class EnhanceStep(FaceStep["Image", "Image"]):
    """Takes as much of an enhancer's finer picture as the options say."""

    def __init__(self, enhancer: EnhancerStage, merge: MergeOptions | OptionsFor) -> None:
        super().__init__(enhancer)
        self._options = options_for(merge)

    def ask(self, packet: Packet, position: int) -> Image | None:
        """Every face that has a swap and shall be finer."""
        swap = packet.swaps[position] if packet.swaps else None
        if swap is None or not self._options(packet, packet.faces[position]).enhance:
            return None
        return swap.image

    def answer(self, packet: Packet, answers: dict[int, Image]) -> Packet:
        """The swaps in the enhancer's size."""
        from .enhancing import enhanced

        swaps = list(packet.swaps)
        for position, image in answers.items():
            swap = packet.swaps[position]
            assert swap is not None
            power = self._options(packet, packet.faces[position]).enhance / 100
            swaps[position] = enhanced(swap, image, power)
        return replace(packet, swaps=tuple(swaps))


class ColorStep(FaceStep[ColorPair, "Image"]):
    """Gives every swap the colours of its plate, or only the part of it that will be seen."""

    def __init__(
        self,
        transfer: ColorTransferStage,
        merge: MergeOptions | OptionsFor,
        *,
        only_seen: bool = False,
    ) -> None:
        """only_seen  the blend looks nowhere else"""
        super().__init__(transfer)
        self._options = options_for(merge)
        self._only_seen = only_seen and getattr(transfer, "only_seen", False)

    def ask(self, packet: Packet, position: int) -> ColorPair | None:
        """Every face that has a swap."""
        from .placing import color_pair

        swap = packet.swaps[position] if packet.swaps else None
        if swap is None or swap.alpha is None:
            return None
        face = packet.faces[position]
        return color_pair(packet.frame, swap, face.track, self._part(packet, face, swap))

    def answer(self, packet: Packet, answers: dict[int, Image]) -> Packet:
        """The swaps in their new colours."""
        from .placing import recoloured

        swaps = list(packet.swaps)
        for position, image in answers.items():
            swap = swaps[position]
            assert swap is not None
            part = self._part(packet, packet.faces[position], swap)
            swaps[position] = recoloured(swap, image, part)
        return replace(packet, swaps=tuple(swaps))

    def _part(self, packet: Packet, face: Face, swap: Swap) -> Part:
        from .placing import ALL, seen_part

        spread = self._only_seen and self._options(packet, face).looks_around
        return seen_part(swap) if self._only_seen and not spread else ALL


class BlendStep(StageBase):
    """Puts every swap on its frame, the smallest face lowest: the largest is the nearest.

    The rest of the frame stays as it is.  A blend whose `shows` is "patch" gives no frame but the
    crop of the largest face, `side` pixels wide, black where there is none.
    """

    def __init__(
        self,
        blend: BlendStage,
        merge: MergeOptions | OptionsFor,
        *,
        rng: Chance | None = None,
        moving: bool = False,
        side: int = 256,
        seen: Seen | None = None,
    ) -> None:
        """moving  some face may be blurred along its way, so the frames around are wanted

        seen  told of every frame what was put on it
        """
        self._seen = seen
        self._blend, self._options, self._rng = blend, options_for(merge), rng or _chance
        self._shows, self._side = getattr(blend, "shows", "mask"), side
        self.batch_size = FRAMES_AT_ONCE
        self.window = (1, 1) if moving else (0, 0)

    def open(self) -> None:
        """Open the blend."""
        self._blend.open()

    def close(self) -> None:
        """Close the blend."""
        self._blend.close()

    def __call__(self, batch: Sequence[Packet | Neighbours[Packet]], /) -> list[Packet]:
        """The packets with their finished frames."""
        return [
            self._one(each) if isinstance(each, Neighbours) else self._one(Neighbours(item=each))
            for each in batch
        ]

    def _one(self, around: Neighbours[Packet]) -> Packet:
        from .face import patch, place
        from .mixing import apply

        packet = around.item
        faces = [
            (face, swap)
            for face, swap in zip(packet.faces, packet.swaps, strict=False)
            if swap is not None and swap.alpha is not None
        ]
        if self._shows == "patch":
            return replace(packet, frame=patch(packet.frame, faces, self._side))
        placed: list[tuple[Placed, Face, MergeOptions]] = []
        for face, swap in faces:
            options = self._options(packet, face)
            way = _way(around, face) if options.motion_blur else (0.0, 0.0)
            whole = self._shows == "crop"
            put = place(packet.frame, swap, options, track=face.track, way=way, whole=whole)
            if not put.is_empty:
                placed.append((put, face, options))
        if not placed:
            return packet
        placed.sort(key=lambda each: _area(each[1]))
        done = [(put, self._blended(put, options, n)) for n, (put, _, options) in enumerate(placed)]
        if self._seen is not None:
            faces_of = zip(placed, done, strict=True)
            self._seen(packet, [Shown(f, o, p, b) for (_, f, o), (p, b) in faces_of])
        return replace(packet, frame=apply(packet.frame, done))

    def _blended(self, put: Placed, options: MergeOptions, number: int) -> Any:
        from .face import finish

        (blended,) = self._blend([put.pair])
        if not (options.grain or options.color_degrade):
            return blended
        rng = self._rng("grain", put.pair.frame_index, number)
        return finish(blended, put.pair, options, rng)


def merge_steps(
    model: SwapStage,
    color: ColorTransferStage | None,
    blend: BlendStage,
    merge: MergeOptions | OptionsFor,
    *,
    enhancer: EnhancerStage | None = None,
    swap_maskers: Mapping[str, MaskerStage] | None = None,
    rng: Chance | None = None,
    moving: bool | None = None,
    failures: Failures | None = None,
    seen: Seen | None = None,
) -> list[Step]:
    """The lower half of the line: packets with landmarks to finished frames.

    merge         the options, or a function that knows them for each face of each frame
    swap_maskers  the maskers that look at the new face, by name
    moving        some frame has motion blur; by itself known only where the options are constant
    failures      told of the faces that keep their own look because something went wrong
    seen          told of every frame what was put on it, in the thread that does it
    """
    if moving is None:
        moving = merge.motion_blur > 0 if isinstance(merge, MergeOptions) else True
    steps = [Step(name="swap", stage=SwapStep(model, merge, failures))]
    for name, masker in (swap_maskers or {}).items():
        steps.append(Step(name=f"mask {name} of the swap", stage=SwapMaskStep(name, masker)))
    steps.append(Step(name="alpha", stage=AlphaStep(merge)))
    if enhancer is not None:
        steps.append(Step(name="enhance", stage=EnhanceStep(enhancer, merge)))
    if color is not None:
        only = seen is None and getattr(blend, "only_seen", False)
        stage = ColorStep(color, merge, only_seen=only)
        steps.append(Step(name="colour", stage=stage))
    last = BlendStep(blend, merge, rng=rng, moving=moving, side=model.spec.size, seen=seen)
    return [*steps, Step(name="blend", stage=last)]


def _way(around: Neighbours[Packet], face: Face) -> tuple[float, float]:
    """How the face moves from the frame before to the one after; at an end, from or to itself."""
    from .motion import movement

    ends = []
    for packets in (around.before[-1:], around.after[:1]):
        if not packets:
            ends.append(face.landmarks)
            continue
        position = same_face(face, packets[0].faces)
        ends.append(packets[0].faces[position].landmarks if position >= 0 else None)
    return movement(*ends)


def _area(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return (x1 - x0) * (y1 - y0)


def _chance(*names: str | int) -> Generator:
    """For scripts that give no generator of their run: the same draw for the same names."""
    import zlib

    import numpy as np

    return np.random.Generator(np.random.PCG64(zlib.crc32(repr(names).encode())))
