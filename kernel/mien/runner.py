"""The streaming runner: one thread a stage, bounded channels between them, order kept.

It knows nothing of faces, files or options.  A source is any iterable, a sink any function that
takes one item; the sink runs in the calling thread.  Batches are cut the same way in every run:
a stage always gets exactly `batch_size` items, fewer only at the end.

Three ways to end: the source is empty; the `cancel` event was set, and all that was read is
finished and handed to the sink; something failed, and the first error wins: the channels are
aborted, the threads joined, the stages closed, and the error raised from its cause.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Generic, TypeVar

from .errors import MienError, StageError
from .stages import Neighbours, Stage

T = TypeVar("T")

CHANNEL_BYTES = 48 * 1024 * 1024
"""Default bound of one channel: eight 1080p frames of 8 bit, or two of 4K.  More would not be
faster, as a step holds a finished batch besides; and what a line holds is new memory when a run
begins, which is slow to get: 1 GB of frames took 2 s of a core."""

LEAST_PLACES = 16
"""A channel of tiny items holds at least so many: fewer would spend the time on switching threads.
Large items meet the bound in bytes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage and the name under which it is reported."""

    name: str
    stage: Stage[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """How long a step worked, without its waiting; seconds of its own thread's wall clock."""

    name: str
    items: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did: items that reached the sink, wall seconds, whether it was stopped early."""

    items: int
    seconds: float
    stopped: bool
    steps: tuple[StepTime, ...] = ()


class _Aborted(Exception):
    """Another thread failed: leave at once."""


class Channel(Generic[T]):
    """A queue bounded in items and in bytes, that hands out batches of exact size.

    Whoever takes is never starved by the bound in bytes: while a taker waits for more items than
    there are, putting does not block.
    """

    def __init__(self, places: int, most_bytes: int, size_of: Callable[[T], int]) -> None:
        self._items: deque[T] = deque()
        self._places, self._most_bytes, self._size_of = places, most_bytes, size_of
        self._bytes = 0
        self._wanted = 0
        self._closed = self._aborted = False
        lock = threading.Lock()
        self._not_full = threading.Condition(lock)
        self._ready = threading.Condition(lock)

    def put(self, items: Sequence[T]) -> None:
        """Add items in order, waiting for room before each."""
        with self._not_full:
            for item in items:
                size = self._size_of(item)
                while not self._aborted and self._is_full(size):
                    self._not_full.wait()
                if self._aborted:
                    raise _Aborted
                self._items.append(item)
                self._bytes += size
                if 0 < self._wanted <= len(self._items):
                    self._ready.notify()

    def take(self, count: int) -> list[T]:
        """Exactly `count` items; fewer only when the channel was closed; none at its end."""
        with self._ready:
            while len(self._items) < count and not self._closed and not self._aborted:
                self._wanted = count
                self._not_full.notify()
                self._ready.wait()
            self._wanted = 0
            if self._aborted:
                raise _Aborted
            batch = [self._items.popleft() for _ in range(min(count, len(self._items)))]
            self._bytes -= sum(self._size_of(item) for item in batch)
            self._not_full.notify()
            return batch

    def close(self) -> None:
        """No more items will come."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def abort(self) -> None:
        """Wake everybody with `_Aborted`."""
        with self._ready:
            self._aborted = True
            self._items.clear()
            self._ready.notify_all()
            self._not_full.notify_all()

    def _is_full(self, size: int) -> bool:
        if not self._items or self._wanted > len(self._items):
            return False
        return len(self._items) >= self._places or self._bytes + size > self._most_bytes


class _Around(Generic[T]):
    """Takes from a channel like the channel itself, each item with its neighbours in time."""

    def __init__(self, channel: Channel[T], before: int, after: int) -> None:
        self._channel, self._before, self._after = channel, before, after
        self._known: list[T] = []
        self._at = 0
        self._ended = False

    def take(self, count: int) -> list[Neighbours[T]]:
        """Exactly `count` items with neighbours; fewer only at the end."""
        missing = self._at + count + self._after - len(self._known)
        if missing > 0 and not self._ended:
            fresh = self._channel.take(missing)
            self._ended = len(fresh) < missing
            self._known += fresh
        stop = min(self._at + count, len(self._known))
        batch = [self._one(position) for position in range(self._at, stop)]
        gone = max(0, stop - self._before)
        del self._known[:gone]
        self._at = stop - gone
        return batch

    def _one(self, at: int) -> Neighbours[T]:
        known = self._known
        return Neighbours(
            item=known[at],
            before=tuple(known[max(0, at - self._before) : at]),
            after=tuple(known[at + 1 : at + 1 + self._after]),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """What the threads of one run share."""

    index_of: Callable[[Any], int]
    channels: list[Channel[Any]]
    lock: threading.Lock = field(default_factory=threading.Lock)
    error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        with self.lock:
            if self.error is None:
                self.error = error
        for channel in self.channels:
            channel.abort()


def run(
    source: Iterable[T],
    steps: Sequence[Step],
    sink: Callable[[Any], None],
    *,
    index_of: Callable[[Any], int],
    size_of: Callable[[Any], int] = lambda item: 0,
    cancel: threading.Event | None = None,
    on_item: Callable[[int], None] | None = None,
    channel_bytes: int = CHANNEL_BYTES,
) -> Report:
    """Send every item of `source` through `steps` into `sink`.

    index_of  frame number of an item, for error messages;  size_of  bytes that it holds
    on_item   called after each item that reached the sink, with their count
    Raises what the source or the sink raised; StageError, from its cause, where a stage failed.
    """
    cancel = cancel or threading.Event()
    channels = _channels(steps, size_of, channel_bytes)
    shared = _Run(index_of=index_of, channels=channels)
    clocks = [_Clock() for _ in steps]
    threads = [threading.Thread(target=_read, args=(source, channels[0], cancel, shared))]
    for step, clock, inbox, outbox in zip(steps, clocks, channels, channels[1:], strict=False):
        threads.append(
            threading.Thread(
                target=_work, name=step.name, args=(step, clock, inbox, outbox, shared)
            )
        )
    started = perf_counter()
    for thread in threads:
        thread.daemon = True
        thread.start()
    try:
        done = _drain(channels[-1], sink, on_item)
    except _Aborted:
        done = 0
    except BaseException as error:
        shared.fail(error)
        raise
    finally:
        for channel in channels:
            channel.abort()
        for thread in threads:
            thread.join()
    if shared.error is not None:
        raise shared.error
    return Report(
        items=done,
        seconds=perf_counter() - started,
        stopped=cancel.is_set(),
        steps=tuple(
            StepTime(name=step.name, items=clock.items, seconds=clock.seconds)
            for step, clock in zip(steps, clocks, strict=True)
        ),
    )


@dataclass(slots=True)
class _Clock:
    items: int = 0
    seconds: float = 0.0


def _channels(
    steps: Sequence[Step], size_of: Callable[[Any], int], most_bytes: int
) -> list[Channel[Any]]:
    batches = [1, *(step.stage.batch_size for step in steps), 1]
    return [
        Channel(max(2 * max(pair), LEAST_PLACES), most_bytes, size_of)
        for pair in itertools.pairwise(batches)
    ]


def _read(source: Iterable[T], outbox: Channel[T], cancel: threading.Event, shared: _Run) -> None:
    iterator = iter(source)
    try:
        for item in iterator:
            outbox.put((item,))
            if cancel.is_set():
                break
        outbox.close()
    except _Aborted:
        pass
    except BaseException as error:
        shared.fail(error)
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _work(
    step: Step, clock: _Clock, inbox: Channel[Any], outbox: Channel[Any], shared: _Run
) -> None:
    stage = step.stage
    batch: Sequence[Any] = ()
    before, after = stage.window
    feed: Channel[Any] | _Around[Any] = _Around(inbox, before, after) if before or after else inbox
    try:
        stage.open()
        while batch := feed.take(stage.batch_size):
            began = perf_counter()
            results = stage(batch)
            clock.seconds += perf_counter() - began
            clock.items += len(batch)
            if len(results) != len(batch):
                raise ValueError(f"gave {len(results)} results for {len(batch)} items")
            outbox.put(results)
        outbox.close()
    except _Aborted:
        pass
    except BaseException as error:
        shared.fail(_named(error, step.name, batch, shared.index_of))
    finally:
        _close(step, shared)


def _close(step: Step, shared: _Run) -> None:
    """Close a stage; what goes wrong here counts only where nothing went wrong before."""
    try:
        step.stage.close()
    except BaseException as error:
        shared.fail(_named(error, step.name, (), shared.index_of))


def _drain(
    inbox: Channel[Any], sink: Callable[[Any], None], on_item: Callable[[int], None] | None
) -> int:
    done = 0
    while batch := inbox.take(1):
        sink(batch[0])
        done += 1
        if on_item is not None:
            on_item(done)
    return done


def _named(
    error: BaseException, name: str, batch: Sequence[Any], index_of: Callable[[Any], int]
) -> BaseException:
    """The error with the stage's name and the frames it was working on."""
    if isinstance(error, MienError):
        return error
    items = [each.item if isinstance(each, Neighbours) else each for each in batch]
    numbers = [index_of(item) for item in items] or [-1]
    first, last = numbers[0], numbers[-1]
    where = f" on frames {first}..{last}" if first != last else f" on frame {first}"
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    message = f"{name} failed{where if items else ''}: {what}"
    named = StageError(message, stage=name, first=first, last=last)
    named.__cause__ = error
    return named
