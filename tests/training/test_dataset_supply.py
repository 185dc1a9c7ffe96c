"""Batches by number: the same however they are asked for, with every option there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from mien.arrays import Image
from mien.errors import ConfigError, InputError, StageError
from mien.stages import ColorPair, Neighbours, NoOptions, StageBase
from mien.testing.fakes import FakeContext
from mien.training import checkpoint
from mien.training.base import TrainBatch
from mien.training.course import train
from mien.training.data.identity import compare
from mien.training.data.recolour import no_transfer
from mien.training.data.supply import Demand, Supply, load_both
from mien.training.options import TrainOptions
from mien.types import CropSpec

from .conftest import make_tiny

SPEC = CropSpec(size=32)
STILL = {"flip_target": 0, "rotation": 0, "zoom": 0, "shift": 0, "warp": 0, "color": 0}

Make = Callable[..., Supply]


class Paint(StageBase):
    """Gives a face the plate's mean colour; remembers what it was asked, and in which threads."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.threads: set[str] = set()
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def __call__(self, batch: Sequence[ColorPair], /) -> list[Image]:
        self.threads.add(threading.current_thread().name)
        self.asked += [pair.frame_index for pair in batch]
        return [np.broadcast_to(pair.plate.mean((0, 1)), pair.swap.shape) for pair in batch]


@pytest.fixture
def folders(make_faceset: Callable[..., Path]) -> tuple[Path, Path]:
    return make_faceset("source", (30, 60, 200), 5), make_faceset("target", (200, 90, 20), 7)


@pytest.fixture
def make(folders: tuple[Path, Path]) -> Iterator[Make]:
    """A supply of the two facesets."""
    made: list[Supply] = []

    def go(
        transfer: StageBase | None = None, batch_size: int = 3, seed: int = 1, **options: Any
    ) -> Supply:
        values = TrainOptions(**options)
        context = FakeContext(threads=1, seed=seed)
        both = load_both(*folders, SPEC, values, context)
        made.append(Supply(*both, demand(batch_size), values, context, color=transfer))  # type: ignore[arg-type]
        return made[-1]

    yield go
    for supply in made:
        supply.close()


def demand(batch_size: int = 3) -> Demand:
    return Demand(spec=SPEC, input_size=16, output_size=32, batch_size=batch_size)


def same(first: TrainBatch, second: TrainBatch) -> bool:
    pairs = ((first.source, second.source), (first.target, second.target))
    names = ("warped", "face", "mask", "focus")
    return all(getattr(a, name).equal(getattr(b, name)) for a, b in pairs for name in names)


EVERYTHING = {
    "uniform_yaw": True,
    "flip_source": 0.5,
    "hsv_power": 0.1,
    "lab_light": 0.3,
    "lab_color": 0.1,
    "clahe": 0.5,
}


@pytest.mark.parametrize("kind", ["grid", "dfl", "landmarks"])
def test_a_batch_depends_on_its_number_alone(make: Make, kind: str) -> None:
    options = {**EVERYTHING, "warp_kind": kind}
    ahead = make(Paint(), **options)
    straight = [ahead.batch(number) for number in range(5)]
    later = make(Paint(), prefetch=False, **options)
    for number in (4, 2, 3, 0):
        assert same(later.batch(number), straight[number])
    assert not same(straight[0], straight[1])
    assert not same(make(seed=2, **options).batch(0), straight[0])
    sides = (straight[0].source, straight[0].target)
    assert all(side.warped.shape == (3, 3, 16, 16) for side in sides)
    assert all(side.mask.shape == (3, 1, 32, 32) for side in sides)
    for side in sides:
        for part in (side.warped, side.face, side.mask, side.focus):
            assert part.isfinite().all()
            assert -1e-6 <= float(part.min()) <= float(part.max()) <= 1 + 1e-6
            assert not part.requires_grad


@pytest.mark.parametrize("prefetch", [True, False])
def test_faces_are_made_in_full_precision_whatever_the_nets_compute_in(
    make: Make, prefetch: bool
) -> None:
    plain = make().batch(1)
    supply = make(prefetch=prefetch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        supply.batch(0)
        assert same(supply.batch(1), plain)


def test_going_back_is_allowed(make: Make) -> None:
    supply = make()
    first = supply.batch(0)
    supply.batch(1)
    assert same(supply.batch(0), first)


def test_processes_that_share_the_work_see_different_faces(make: Make) -> None:
    supply = make()
    shared = Supply(
        supply.source, supply.target, demand(), TrainOptions(), FakeContext(seed=1), stride=2
    )
    with shared:
        assert same(shared.batch(1), supply.batch(1))
        assert shared._ready is not None
        assert shared._ready[0] == 3


def test_other_options_hold_from_the_next_batch_on(make: Make) -> None:
    supply = make()
    supply.batch(0)
    supply.vary(demand(2), TrainOptions(**STILL))
    batch = supply.batch(1)
    assert len(batch.source.face) == 2
    plain = supply.plain(range(5), range(7))
    wanted = plain.source.face[torch.tensor(supply._decks["source"].hand(1))]
    torch.testing.assert_close(batch.source.face, wanted, atol=1e-5, rtol=0)


def test_faces_that_are_left_out_are_never_learned_from(make: Make) -> None:
    supply = make(**STILL)
    supply.leave_out("source", [0, 3])
    supply.leave_out("target", [6])
    left_out = supply.plain([0, 3], [6])
    for number in range(12):
        batch = supply.batch(number)
        for face in batch.source.face:
            assert not any(face.allclose(out, atol=1e-4) for out in left_out.source.face)
        for face in batch.target.face:
            assert not face.allclose(left_out.target.face[0], atol=1e-4)


def test_leaving_all_faces_out_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="all 5 faces of the source are left out"):
        make().leave_out("source", range(5))


def test_one_picture_is_enough(make_faceset: Callable[..., Path]) -> None:
    folder = make_faceset("one", (30, 60, 200), 1)
    for kind in ("grid", "landmarks"):
        options = TrainOptions(warp_kind=kind, uniform_yaw=True)  # type: ignore[arg-type]
        context = FakeContext(threads=1)
        both = load_both(folder, folder, SPEC, options, context)
        assert both[0] is both[1]
        with Supply(*both, demand(4), options, context) as supply:
            assert len(supply.batch(3).source.face) == 4


def test_a_recoloured_face_has_the_colour_of_some_target_face(make: Make) -> None:
    supply = make(Paint(), **STILL)
    targets = supply.plain([0], range(7)).target.face.mean((2, 3))
    batch = supply.batch(0)
    for face, mask in zip(batch.source.face, batch.source.mask, strict=True):
        assert float((targets - face.mean((1, 2))).abs().amax(1).min()) < 0.005
        assert float(mask.mean()) < 0.9  # the face's own


def test_faces_are_recoloured_when_asked_for_and_a_few_in_each_round(make: Make) -> None:
    paint = Paint()
    supply = make(paint, batch_size=5, color_rounds=5, **STILL)
    counts = []
    for number in range(8):
        before = len(paint.asked)
        supply.batch(number)
        supply._forget()
        counts.append(len(paint.asked) - before)
    assert sum(counts) <= 5 + 8 + 1  # all at first, then one of five faces in each round
    assert set(paint.asked) == set(range(5))
    assert len(paint.threads) == 1
    assert threading.current_thread().name not in paint.threads
    supply.close()
    assert (paint.opened, paint.closed) == (1, 1)


def test_a_transfer_that_looks_at_neighbours_gets_the_face_alone(make: Make) -> None:
    seen: list[Any] = []

    class Looks(StageBase):
        window = (1, 1)

        def __call__(self, batch: Sequence[Neighbours[ColorPair]], /) -> list[Image]:
            seen.extend(batch)
            return [each.item.swap for each in batch]

    make(Looks(), **STILL).batch(0)
    assert all(isinstance(each, Neighbours) and not each.before for each in seen)


def test_a_transfer_that_fails_is_named_with_the_face(make: Make) -> None:
    class Fails(StageBase):
        def __call__(self, batch: Sequence[ColorPair], /) -> list[Image]:
            raise ZeroDivisionError("no colours")

    with pytest.raises(StageError, match=r"color transfer failed on '.*\.png': no colours"):
        make(Fails()).batch(0)
    with pytest.raises(ConfigError, match="'median' is asked for, but no plugin was given"):
        no_transfer("median")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dfl", "landmarks"])
def test_an_interrupted_training_with_everything_on_ends_with_the_same_bits(
    folders: tuple[Path, Path], tmp_path: Path, kind: Literal["dfl", "landmarks"]
) -> None:
    def run(name: str, iterations: int) -> None:
        train(
            make_tiny(),
            NoOptions(),
            FakeContext(threads=1, seed=11),
            source=folders[0],
            target=folders[1],
            folder=tmp_path / name,
            train_options=TrainOptions(
                batch_size=2,
                preview_every=0,
                deterministic=True,
                iterations=iterations,
                warp_kind=kind,
                color_transfer="paint",
                color_rounds=2,
                **EVERYTHING,  # type: ignore[arg-type]
            ),
            transfer=lambda name: Paint(),
        )

    run("straight", 16)
    run("broken", 9)
    run("broken", 16)
    states = [checkpoint.latest(tmp_path / name) for name in ("straight", "broken")]
    first, second = (state.state().weights for state in states if state is not None)
    assert all(value.equal(second[name]) for name, value in first.items())


def test_the_same_facesets_are_known_again_wherever_they_lie(make: Make) -> None:
    known = make().identity()
    assert compare(known, make().identity()) == []
    assert compare({}, known) == []
    elsewhere = {side: {**facts, "folder": f"/{side}"} for side, facts in known.items()}
    assert compare(known, elsewhere) == []


def test_a_faceset_that_changed_is_told_of(make: Make, folders: tuple[Path, Path]) -> None:
    known = make().identity()
    (folders[1] / "00002.png").unlink()
    assert compare(known, make().identity()) == [
        f"the target faceset '{folders[1].resolve()}' is not the one of the last run: 7 pictures "
        "then, 6 now"
    ]


@pytest.mark.parametrize("changed", [False, True])
def test_exchanged_sides_are_refused_even_where_a_set_grew(
    make: Make, folders: tuple[Path, Path], changed: bool
) -> None:
    known = make().identity()
    if changed:
        for folder in folders:
            (folder / "00000.png").unlink()
    now = make().identity()
    swapped = {"source": now["target"], "target": now["source"]}
    with pytest.raises(InputError) as error:
        compare(known, swapped)
    source, target = (folder.resolve() for folder in folders)
    assert str(error.value) == (
        f"source and target have changed places: this model learned '{source}' as its source and "
        f"'{target}' as its target; exchange --source and --target, or train into another folder"
    )


def test_one_set_on_both_sides_is_no_exchange(make: Make) -> None:
    known = make().identity()
    general = {"source": known["target"], "target": known["target"]}
    assert compare(general, general) == []
    assert len(compare(general, known)) == 1
    assert len(compare(known, general)) == 1
