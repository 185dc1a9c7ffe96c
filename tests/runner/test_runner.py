"""The runner: order, batches, windows, back-pressure, and the three ways to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mien.errors import InputError, StageError, WeightsError
from mien.runner import Channel, Step, run
from mien.stages import Neighbours, StageBase


class Map(StageBase):
    """Applies a function to each item, and remembers the sizes of its batches."""

    def __init__(self, function: Any, batch_size: int = 1, window: tuple[int, int] = (0, 0)):
        self.function, self.batch_size, self.window = function, batch_size, window
        self.batches: list[int] = []
        self.log: list[str] = []

    def open(self) -> None:
        self.log.append("open")

    def close(self) -> None:
        self.log.append("close")

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        self.batches.append(len(batch))
        return [self.function(item) for item in batch]


def go(source: Any, *stages: StageBase, **more: Any) -> tuple[list[Any], Any]:
    out: list[Any] = []
    steps = [Step(name=f"step {n}", stage=stage) for n, stage in enumerate(stages)]
    report = run(source, steps, out.append, index_of=int, **more)
    return out, report


def fail_at(number: int) -> Any:
    def function(item: int) -> int:
        if item == number:
            raise ValueError("the net is upside down")
        return item

    return function


@given(
    count=st.integers(0, 70),
    batches=st.lists(st.integers(1, 9), max_size=4),
    size=st.integers(0, 50),
)
@settings(max_examples=40, deadline=None)
def test_items_come_out_in_order_whatever_the_batches(count, batches, size):
    stages = [Map(lambda item: item, batch_size) for batch_size in batches]
    out, report = go(range(count), *stages, size_of=lambda item: size, channel_bytes=60)
    assert out == list(range(count))
    assert report.items == count
    assert not report.stopped


@given(count=st.integers(1, 40), batch=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_batches_are_whole_until_the_last(count, batch):
    stage = Map(lambda item: item, batch)
    go(range(count), Map(lambda item: item, 3), stage)
    whole, rest = divmod(count, batch)
    assert stage.batches == [batch] * whole + ([rest] if rest else [])


@given(
    count=st.integers(0, 30),
    before=st.integers(0, 4),
    after=st.integers(0, 4),
    batch=st.integers(1, 6),
)
@settings(max_examples=50, deadline=None)
def test_a_window_shows_the_true_neighbours(count, before, after, batch):
    def look(item: Any) -> Any:
        if isinstance(item, Neighbours):
            return (item.before, item.item, item.after)
        return ((), item, ())

    stage = Map(look, batch, (before, after))
    out: list[Any] = []
    run(range(count), [Step(name="w", stage=stage)], out.append, index_of=lambda item: 0)
    expected = [
        (
            tuple(range(max(0, n - before), n)),
            n,
            tuple(range(n + 1, min(count, n + 1 + after))),
        )
        for n in range(count)
    ]
    assert out == expected


def test_a_failing_stage_is_named_with_its_frames_and_everything_is_closed():
    good, bad = Map(lambda item: item, 4), Map(fail_at(9), 4)
    with pytest.raises(StageError) as caught:
        go(range(100), good, bad)
    assert str(caught.value) == "step 1 failed on frames 8..11: ValueError: the net is upside down"
    assert (caught.value.first, caught.value.last) == (8, 11)
    assert isinstance(caught.value.__cause__, ValueError)
    assert good.log == bad.log == ["open", "close"]


def test_an_error_of_ours_keeps_its_own_sentence():
    def function(item: int) -> int:
        raise WeightsError("weights 'x' are not here")

    with pytest.raises(WeightsError, match="weights 'x' are not here"):
        go(range(5), Map(function))


def test_a_stage_that_loses_an_item_is_refused():
    class Short(Map):
        def __call__(self, batch: Sequence[Any], /) -> list[Any]:
            return list(batch)[1:]

    with pytest.raises(StageError, match=r"step 0 failed on frames 0..2: .*2 results for 3 items"):
        go(range(9), Short(None, 3))


def test_a_failing_source_ends_the_run_with_its_own_error():
    def source() -> Iterator[int]:
        yield 0
        raise InputError("clip.mp4: breaks off")

    stage = Map(lambda item: item)
    with pytest.raises(InputError, match="breaks off"):
        go(source(), stage)
    assert stage.log == ["open", "close"]


def test_a_failing_sink_ends_the_run():
    def sink(item: int) -> None:
        raise OSError("disk full")

    stage = Map(lambda item: item)
    with pytest.raises(OSError, match="disk full"):
        run(range(1000), [Step(name="a", stage=stage)], sink, index_of=int)
    assert stage.log == ["open", "close"]


def test_a_stage_that_cannot_open_is_closed_and_reported():
    class Shut(Map):
        def open(self) -> None:
            super().open()
            raise RuntimeError("no such device")

    stage = Shut(lambda item: item)
    with pytest.raises(StageError, match="step 0 failed: RuntimeError: no such device"):
        go(range(5), stage)
    assert stage.log == ["open", "close"]


def test_a_stage_that_cannot_close_is_reported():
    class Stuck(Map):
        def close(self) -> None:
            raise RuntimeError("stuck")

    with pytest.raises(StageError, match="step 0 failed: RuntimeError: stuck"):
        go(range(5), Stuck(lambda item: item))


def test_cancelling_finishes_what_was_read():
    cancel = threading.Event()
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(10_000):
            read.append(number)
            yield number

    def stop_at_thirty(item: int) -> int:
        if item == 30:
            cancel.set()
        return item

    out, report = go(source(), Map(stop_at_thirty, 4), Map(lambda item: item, 3), cancel=cancel)
    assert report.stopped
    assert out == read
    assert 30 < len(out) < 10_000


def test_the_source_is_closed_when_the_run_ends_early():
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with pytest.raises(StageError):
        go(source(), Map(fail_at(1)))
    assert closed.is_set()


def test_no_thread_survives_a_run():
    before = threading.active_count()
    go(range(10), Map(lambda item: item))
    with pytest.raises(StageError):
        go(range(10), Map(fail_at(3)))
    assert threading.active_count() == before


def test_a_slow_sink_holds_the_source_back():
    most = 0
    read = written = 0

    def source() -> Iterator[int]:
        nonlocal read
        for number in range(60):
            read += 1
            yield number

    def sink(item: int) -> None:
        nonlocal written, most
        time.sleep(0.002)
        written += 1
        most = max(most, read - written)

    run(
        source(),
        [Step(name="a", stage=Map(lambda item: item))],
        sink,
        index_of=int,
        size_of=lambda item: 10,
        channel_bytes=30,
    )
    assert most <= 3 + 1 + 3 + 2  # two channels of three, one in each hand


def test_a_batch_larger_than_the_bound_in_bytes_still_arrives():
    stage = Map(lambda item: item, 8)
    out, _ = go(range(20), stage, size_of=lambda item: 100, channel_bytes=150)
    assert out == list(range(20))
    assert stage.batches == [8, 8, 4]


def test_progress_counts_finished_items():
    seen: list[int] = []
    go(range(5), Map(lambda item: item), on_item=seen.append)
    assert seen == [1, 2, 3, 4, 5]


def test_the_report_says_how_long_each_step_worked():
    def slow(item: int) -> int:
        time.sleep(0.002)
        return item

    _, report = go(range(10), Map(lambda item: item), Map(slow))
    assert [step.items for step in report.steps] == [10, 10]
    assert report.steps[1].seconds > report.steps[0].seconds
    assert report.seconds >= report.steps[1].seconds


def test_an_empty_channel_that_is_closed_gives_nothing():
    channel: Channel[int] = Channel(4, 100, lambda item: 1)
    channel.put([1, 2])
    channel.close()
    assert channel.take(5) == [1, 2]
    assert channel.take(5) == []
