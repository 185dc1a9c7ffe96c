"""`mien preview`: a few frames of a render, as they would come out of the whole of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..arrays import Image
from ..errors import InputError, StoppedError
from ..media.base import Source
from ..merging.steps import Shown
from ..runner import Step
from ..runner import run as run_steps
from ..stages import Provider, StageBase
from ..types import Frame, Packet, replace
from ..workspace import Workspace
from .find import find_steps, finders
from .keyframes import constant_plan, plan_of
from .layers import mask_frame
from .outputs import check_picture
from .run import Run, frame_number
from .swap import Line, RecallStep, lower_line, maskers_of, steps_of_maskers

CELL = 400
TITLES = ("before", "mask", "swap", "after")

NEAR = 3
"""Without a workspace at most so many frames are read on each side of a wanted one: in all of them
faces must be found and swapped, for no more than a steadier colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """The contact sheet, the single frames, and seconds from opening the nets to the last frame.

    failed  frames in which a face keeps its own look because something went wrong, and what
    """

    sheet: Path
    frames: tuple[Path, ...]
    swapped: int
    seconds: float
    failed: dict[int, str]


def preview(
    run: Run,
    frames: Sequence[int],
    *,
    workspace: Path | None = None,
    sheet: Path,
    folder: Path | None = None,
) -> Previewed:
    """Render `frames` of the run's input into a sheet, and into pictures in `folder`.

    With a workspace its faces and keyframes are used, and the frames are those of the whole render.
    Otherwise faces are looked for, and stages that look at more than `NEAR` frames around a frame
    have only these, as at the ends of a clip.
    Raises InputError for a frame that the clip does not have.
    """
    job = run.config.job()
    wanted = sorted(set(frames))
    for picture in (sheet, *((folder / "0.png",) if folder else ())):
        check_picture(picture, job.input)
    with run.source(job.input) as source:
        looker = _Looker(wanted)
        steps, line = _steps(run, source, workspace, looker)
        before, after = (sum(step.stage.window[side] for step in steps) for side in (0, 1))
        if workspace is None:
            before, after = min(before, NEAR), min(after, NEAR)
        run.events.start(run.command, len(wanted), "frames")
        try:
            report = run_steps(
                looker.watch(source, (before, after)),
                steps,
                looker.keep,
                index_of=frame_number,
                size_of=lambda item: item.nbytes,
                cancel=run.cancel,
            )
        finally:
            run.events.end()
        if report.stopped:
            raise StoppedError("stopped before the frames were done")
        missing = [index for index in wanted if index not in looker.after]
        if missing:
            last = f"; its last is {source.info.frames - 1}" if source.info.exact else ""
            raise InputError(f"{job.input}: has no frame {missing[0]}{last}")
    looker.write(sheet)
    return Previewed(
        sheet=sheet,
        frames=looker.write_frames(folder) if folder else (),
        swapped=len(looker.swaps),
        seconds=report.seconds,
        failed={n: why for n, why in sorted(line.failures.items()) if n in looker.after},
    )


def _steps(
    run: Run, source: Source, workspace: Path | None, looker: _Looker
) -> tuple[list[Step], Line]:
    used: list[Provider]
    if workspace is None:
        plan = constant_plan(run)
        steps, used = _in_stretches(find_steps(run)), finders(run)
    else:
        with Workspace(workspace, create=False) as store:
            clip = store.find_clip(source.info)
            plan = plan_of(run, store, source.info)
        steps, used = [Step(name="recall", stage=RecallStep(workspace, clip))], []
    maskers = maskers_of(run, plan)
    steps = [*steps, *steps_of_maskers(run, plan, maskers)]
    line = lower_line(run, plan, [*used, *maskers], looker.seen)
    return [*steps, *line.steps], line


def _in_stretches(steps: Sequence[Step]) -> list[Step]:
    """The steps of finding; what follows the tracks never looks from one stretch into the next."""
    apart = Step(name="stretch", stage=_StretchStep())
    return [each for step in steps for each in ((step, apart) if step.name == "track" else (step,))]


class _StretchStep(StageBase):
    """Begins a shot where frames were left out."""

    batch_size = 1

    def __init__(self) -> None:
        self._first = self._last = -2

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """The packets in their order."""
        return [self._one(packet) for packet in batch]

    def _one(self, packet: Packet) -> Packet:
        index = packet.frame.index
        if index != self._last + 1:
            self._first = index
        self._last = index
        return replace(packet, shot=max(packet.shot, self._first))


class _Looker:
    """Keeps the four pictures of every wanted frame."""

    def __init__(self, wanted: Sequence[int]) -> None:
        self._wanted = frozenset(wanted)
        self._order = wanted
        self.before: dict[int, Frame] = {}
        self.masks: dict[int, Image] = {}
        self.swaps: dict[int, Image] = {}
        self.after: dict[int, Frame] = {}

    def watch(self, source: Source, reach: tuple[int, int]) -> Iterator[Frame]:
        """The wanted frames with the neighbours that the steps look at."""
        for first, last in _spans(self._order, reach):
            for frame in source.frames(first, last + 1):
                if frame.index in self._wanted:
                    self.before[frame.index] = frame
                yield frame

    def seen(self, packet: Packet, faces: Sequence[Shown]) -> None:
        """Keep what was put on a wanted frame."""
        index = packet.frame.index
        if index in self._wanted:
            self.masks[index] = mask_frame(packet.frame, faces).image
            nearest = faces[-1].face
            swap = packet.swaps[packet.faces.index(nearest)]
            if swap is not None:
                self.swaps[index] = swap.image

    def keep(self, packet: Packet) -> None:
        """Keep a finished frame, if it is wanted."""
        if packet.frame.index in self._wanted:
            self.after[packet.frame.index] = packet.frame

    def write(self, path: Path) -> None:
        """The contact sheet: a row for every frame."""
        import numpy as np

        from ..media.contact import contact_sheet, save_picture

        images: list[Image] = []
        titles: list[str] = []
        for index in self._order:
            plate = self.before[index].image
            nothing = np.zeros((*plate.shape[:2], 3), np.uint8)
            mask, swap = self.masks.get(index, nothing), self.swaps.get(index, nothing)
            images += [plate, mask, swap, self.after[index].image]
            titles += [f"{word} {index}" for word in TITLES]
        save_picture(path, contact_sheet(images, titles, columns=4, width=CELL))

    def write_frames(self, folder: Path) -> tuple[Path, ...]:
        """The finished frames as single pictures."""
        from ..media.contact import save_picture

        paths = []
        for index in self._order:
            path = folder / f"{index:06d}.png"
            save_picture(path, self.after[index].image)
            paths.append(path)
        return tuple(paths)


def _spans(wanted: Sequence[int], reach: tuple[int, int]) -> list[tuple[int, int]]:
    """First and last frame of the stretches that must be read, in order and apart."""
    spans: list[tuple[int, int]] = []
    for index in wanted:
        first, last = max(0, index - reach[0]), index + reach[1]
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans
