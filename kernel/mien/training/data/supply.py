"""What the loop asks for faces: batches by number, the next one made while the nets learn.

A batch depends on the run's seed, its number and the options, and on nothing else: not on the
batches before it, on whether it was made ahead, or on where a training was interrupted.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import torch
from torch import Tensor

from ...stages import ColorTransferStage, Context
from ...types import CropSpec
from ..base import Side, TrainBatch
from ..options_data import DataOptions
from .augment import Augmenter
from .dataset import FaceCache, load_faces
from .deck import Deck, YawDeck
from .identity import identify
from .landmark_warp import LandmarkWarp
from .recolour import PICTURE, Recolour
from .warps import DflWarp, GridWarp, Warp

SideName = Literal["source", "target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a model wants: crops as `spec` says, shown at `input_size` and judged at `output_size`
    pixels, `batch_size` of each person."""

    spec: CropSpec
    input_size: int
    output_size: int
    batch_size: int


def load_both(
    source: Path,
    target: Path,
    spec: CropSpec,
    options: DataOptions,
    context: Context,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[FaceCache, FaceCache]:
    """Both facesets in memory, a folder that is given twice only once.

    Raises InputError as `load_faces` does.
    """

    def load(folder: Path, spare: int) -> FaceCache:
        return load_faces(
            context.faceset(folder),
            spec,
            mask=options.mask,
            memory=options.memory,
            threads=context.threads,
            tell=tell,
            spare=spare,
        )

    first = load(source, PICTURE if options.color_transfer else 0)
    return first, first if source == target else load(target, 0)


class Supply:
    """Both sides' faces, dealt and varied.  Use it as a context manager, or `close` it."""

    def __init__(
        self,
        source: FaceCache,
        target: FaceCache,
        demand: Demand,
        options: DataOptions,
        context: Context,
        *,
        color: ColorTransferStage | None = None,
        stride: int = 1,
    ) -> None:
        """color  gives source faces the colours of target faces

        stride  from the number of one batch to that of the next, where several processes share
        """
        self.source, self.target = source, target
        self._context, self._stride = context, stride
        self._device = torch.device(context.device)
        self._left_out: dict[str, frozenset[int]] = {}
        self._ready: tuple[int, Future[TrainBatch]] | None = None
        self._maker = ThreadPoolExecutor(1, "batches", _begin_thread, (self._device,))
        self._recolour = (
            Recolour(color, source, target, context, options.color_rounds) if color else None
        )
        self.vary(demand, options)

    def vary(self, demand: Demand, options: DataOptions) -> None:
        """From the next batch on, other options or another batch size; the faces stay."""
        self._forget()
        self._demand, self._options = demand, options
        self._augmenters = {
            "source": self._augmenter("source", options.flip_source, options.hsv_power),
            "target": self._augmenter("target", options.flip_target, 0.0),
        }
        self._deal()

    def leave_out(self, side: SideName, rows: Sequence[int]) -> None:
        """Never learn from these faces of a side, which are measured with.

        Raises ValueError where no face is left.
        """
        if len(set(rows)) >= len(self.source if side == "source" else self.target):
            raise ValueError(f"all {len(rows)} faces of the {side} are left out: none is left")
        self._forget()
        self._left_out[side] = frozenset(rows)
        self._deal()

    def batch(self, number: int) -> TrainBatch:
        """What batch 0, 1, … learns from: the same in every run, whether interrupted or not.

        Raises StageError where a colour transfer fails.
        """
        if self._ready is not None and self._ready[0] == number:
            made = self._ready[1]
        else:
            self._forget()
            made = self._maker.submit(self._make, number)
        self._ready = None
        batch = made.result()
        if self._options.prefetch:
            following = number + self._stride
            self._ready = following, self._maker.submit(self._make, following)
        return batch

    def plain(self, source: Sequence[int], target: Sequence[int]) -> TrainBatch:
        """Faces of these rows as they are."""
        sizes = self._demand.input_size, self._demand.output_size

        def side(name: str, cache: FaceCache, rows: Sequence[int]) -> Side:
            return self._augmenters[name].plain(cache.faces[torch.tensor(rows)], *sizes)

        return TrainBatch(
            source=side("source", self.source, source), target=side("target", self.target, target)
        )

    def identity(self) -> dict[str, Any]:
        """Which facesets these are, for `identity.compare` on another day."""
        return identify(self.source, self.target)

    def close(self) -> None:
        """Stop preparing, and give back what the colour transfer holds; may be called twice."""
        self._forget()
        recolour, self._recolour = self._recolour, None
        if recolour is not None:
            self._maker.submit(recolour.close).result()
        self._maker.shutdown()

    def __enter__(self) -> Supply:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _make(self, number: int) -> TrainBatch:
        """One batch, always in the maker's thread, where no autocast of the loop's holds: places
        of pixels in 16 bits would be off by half a pixel."""
        generator = torch.Generator()
        seed = self._context.rng("train", "augment", number).integers(1 << 62)
        generator.manual_seed(int(seed))
        sizes = self._demand.input_size, self._demand.output_size
        sides = {}
        with torch.no_grad():
            for name, cache in (("source", self.source), ("target", self.target)):
                deck = self._decks[name]
                hand = deck.hand(number)
                rows = torch.tensor(hand)
                if name == "source" and self._recolour is not None:
                    faces = self._recolour.faces(hand, deck.rounds(number))
                else:
                    faces = cache.faces[rows]
                if self._device.type == "cuda":
                    faces = faces.pin_memory()
                sides[name] = self._augmenters[name].random(faces, rows, *sizes, generator)
        return TrainBatch(source=sides["source"], target=sides["target"])

    def _forget(self) -> None:
        """Throw the prepared batch away, and wait until nothing is being made."""
        if self._ready is not None:
            _, made = self._ready
            self._ready = None
            if not made.cancel():
                made.exception()

    def _augmenter(self, side: SideName, flip: float, hsv_power: float) -> Augmenter:
        own, other = self.source, self.target
        if side == "target":
            own, other = other, own
        size, device = self._demand.spec.size, self._device
        warp = make_warp(self._options, own.landmarks, other.landmarks, size, device)
        return Augmenter(self._options, size, device, flip=flip, hsv_power=hsv_power, warp=warp)

    def _deal(self) -> None:
        self._decks = {
            "source": self._deck("source", self.source),
            "target": self._deck("target", self.target),
        }

    def _deck(self, side: SideName, cache: FaceCache) -> Deck:
        out = self._left_out.get(side, frozenset())
        cards = [row for row in range(len(cache)) if row not in out]

        def shuffle(name: str, number: int, count: int) -> list[int]:
            rng = self._context.rng("train", side, name, number)
            order: list[int] = rng.permutation(count).tolist()
            return order

        if not self._options.uniform_yaw:
            return Deck(cards, self._demand.batch_size, shuffle)
        yaws = cache.yaws[torch.tensor(cards)].tolist()
        return YawDeck(cards, yaws, self._demand.batch_size, shuffle)


def make_warp(
    options: DataOptions, own: Tensor, other: Tensor, size: int, device: torch.device
) -> Warp | None:
    """The warp that the options ask for, if any.

    own, other  landmarks (N, 68, 2) of this side and of the other, pixels of crops of `size`
    """
    if not options.warp:
        return None
    if options.warp_kind == "landmarks":
        return LandmarkWarp(own, other, size, options.warp, device)
    kind = DflWarp if options.warp_kind == "dfl" else GridWarp
    return kind(size, options.warp, device)


def _begin_thread(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_device(device)  # else pinned memory belongs to the first GPU
