"""The training loop, which the kernel owns: a model only says what one step is."""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from ..errors import InputError, StageError
from ..options import plain
from ..stages import Context, ModelProvider
from . import checkpoint
from .augment import Augmenter
from .base import TrainBatch, Trainer
from .dataset import Deck, FaceCache, load_faces, spread_evenly
from .history import History, read_history
from .options import TrainOptions
from .preview import contact_sheet, loss_curve, write_png

_CURVE_LINES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainProgress:
    """What the loop tells while it works.

    event  "step" after every iteration; "note" with a sentence in `text`; "saved" and "preview"
           with the file or folder in `path`
    iteration, goal  how far it is, and how far it shall go (0: no end);  seconds  of this run
    losses, ms  of the last iteration
    """

    event: Literal["step", "note", "saved", "preview"]
    iteration: int
    goal: int
    seconds: float
    losses: Mapping[str, float]
    ms: float = 0.0
    path: Path | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """How a training ended.

    iteration  of the model;  steps, seconds  of this run;  losses  means of the last iterations
    generation  the saved state, None where nothing was learned
    """

    ended: Literal["iterations", "minutes", "cancelled"]
    iteration: int
    steps: int
    seconds: float
    losses: Mapping[str, float]
    generation: Path | None
    notes: tuple[str, ...] = ()


Progress = Callable[[TrainProgress], None]


def train(
    provider: ModelProvider,
    options: Any,
    context: Context,
    *,
    source: Path,
    target: Path,
    folder: Path,
    train_options: TrainOptions,
    progress: Progress = lambda event: None,
    cancel: threading.Event | None = None,
) -> TrainReport:
    """Teach a model two facesets, from scratch or from where its folder stands.

    options   the model's own;  source, target  faceset folders;  folder  the model's
    cancel    set it to stop after the iteration at hand; everything learned is saved
    Raises InputError where a faceset or the model folder cannot be used, OutputError where it
    cannot be saved, StageError where a loss is no number any more.
    """
    _check_card(folder, provider, options)
    with _torch_settings(context, train_options):
        trainer: Trainer = provider.train(options, context)
        run = _Run(trainer, context, train_options, folder, progress, provider.name)
        run.resume()
        run.load(source, target)
        if checkpoint.read_card(folder) is None:
            checkpoint.write_card(folder, _card(provider, options, trainer))
        return run.go(cancel or threading.Event())


class _Run:
    """One training in progress."""

    def __init__(
        self,
        trainer: Trainer,
        context: Context,
        options: TrainOptions,
        folder: Path,
        progress: Progress,
        name: str,
    ) -> None:
        self._trainer, self._context, self._options = trainer, context, options
        self._folder, self._tell, self._name = folder, progress, name
        self._device = torch.device(context.device)
        self._autocast = _autocast(self._device, options.precision)
        self._iteration = self._saved = 0
        self._before = 0.0  # seconds learned in earlier runs
        self._begun = self._saved_at = time.monotonic()
        self._generation: Path | None = None
        self._recent: list[Mapping[str, float]] = []
        self._notes: list[str] = []

    def resume(self) -> None:
        """Go on from the newest whole generation, if there is one."""
        generation = checkpoint.latest(self._folder)
        if generation is not None:
            self._load_generation(generation)
            self._note(f"goes on from iteration {self._iteration}")

    def load(self, source: Path, target: Path) -> None:
        """Bring both facesets into memory."""
        spec, options = self._trainer.spec, self._options
        threads = self._context.threads
        self._source, self._target = (
            load_faces(side, spec, mask=options.mask, memory=options.memory, threads=threads)
            for side in (source, target)
        )
        for note in (*self._source.notes, *self._target.notes):
            self._note(note)
        self._augmenter = Augmenter(options, spec.size, self._device)
        self._source_deck = self._deck("source", len(self._source))
        self._target_deck = self._deck("target", len(self._target))

    def go(self, cancel: threading.Event) -> TrainReport:
        """Learn until it is enough, then save."""
        options = self._options
        self._history = History(self._folder / "history.jsonl", self._iteration)
        self._begun = self._saved_at = time.monotonic()
        start = self._iteration
        while (ended := self._enough(cancel)) is None:
            self._step()
            if _due(self._iteration, options.preview_every):
                self._preview()
            if self._save_is_due():
                self._save()
        if self._iteration > self._saved:
            self._save()
            self._preview()
        return TrainReport(
            ended=ended,
            iteration=self._iteration,
            steps=self._iteration - start,
            seconds=time.monotonic() - self._begun,
            losses=self._mean_losses(),
            generation=self._generation,
            notes=tuple(self._notes),
        )

    def _enough(
        self, cancel: threading.Event
    ) -> Literal["iterations", "minutes", "cancelled"] | None:
        options = self._options
        if cancel.is_set():
            return "cancelled"
        if options.iterations and self._iteration >= options.iterations:
            return "iterations"
        if options.minutes and time.monotonic() - self._begun >= options.minutes * 60:
            return "minutes"
        return None

    def _step(self) -> None:
        begun = time.perf_counter()
        with self._autocast():
            losses = self._trainer.step(self._batch(self._iteration))
        ms = (time.perf_counter() - begun) * 1000
        bad = [f"'{name}' is {value}" for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            self._fail(", ".join(bad))
        self._iteration += 1
        self._recent = [*self._recent[-49:], losses]
        self._history.add(self._iteration, losses, ms)
        self._say("step", losses=losses, ms=ms)

    def _batch(self, iteration: int) -> TrainBatch:
        """What an iteration learns from: the same in every run, whether interrupted or not."""
        generator = torch.Generator()
        seed = self._context.rng("train", "augment", iteration).integers(1 << 62)
        generator.manual_seed(int(seed))
        sizes = self._trainer.input_size, self._trainer.output_size
        sides = (
            self._augmenter.random(cache.faces[deck.hand(iteration)], *sizes, generator)
            for cache, deck in (
                (self._source, self._source_deck),
                (self._target, self._target_deck),
            )
        )
        return TrainBatch(source=next(sides), target=next(sides))

    def _deck(self, side: str, count: int) -> Deck:
        def shuffle(number: int) -> list[int]:
            order: list[int] = self._context.rng("train", side, number).permutation(count).tolist()
            return order

        return Deck(count, self._options.batch_size, shuffle)

    def _save_is_due(self) -> bool:
        options = self._options
        late = options.save_minutes * 60
        return (
            _due(self._iteration, options.save_every)
            or _due(self._iteration, options.snapshot_every)
            or bool(late and time.monotonic() - self._saved_at >= late)
        )

    def _save(self) -> None:
        self._history.flush()
        generation = checkpoint.save(
            self._folder,
            self._trainer.state(),
            self._iteration,
            seconds=self._before + time.monotonic() - self._begun,
            keep=self._options.keep,
            snapshot=_due(self._iteration, self._options.snapshot_every),
        )
        self._saved, self._generation = self._iteration, generation.folder
        self._saved_at = time.monotonic()
        self._say("saved", path=generation.folder)

    def _preview(self) -> None:
        """Write the sheet of this iteration, the latest sheet, and the loss curve."""
        self._history.flush()
        rows = self._options.preview_rows
        sizes = self._trainer.input_size, self._trainer.output_size

        def some(cache: FaceCache) -> Any:
            return self._augmenter.plain(cache.faces[spread_evenly(len(cache), rows)], *sizes)

        with self._autocast():
            columns = self._trainer.preview(
                TrainBatch(source=some(self._source), target=some(self._target))
            )
        sheet = contact_sheet(columns)
        place = self._folder / "preview"
        for name in (f"{self._iteration:09d}", "latest"):
            write_png(place / f"{name}.png", sheet)
        lines = list(read_history(self._folder / "history.jsonl"))[-_CURVE_LINES:]
        write_png(place / "loss.png", loss_curve(lines))
        self._say("preview", path=place / "latest.png")

    def _fail(self, what: str) -> None:
        """Put the last good generation back, then raise."""
        iteration = self._iteration + 1
        generation = checkpoint.latest(self._folder)
        if generation is None:
            back = "nothing was saved yet"
        else:
            self._load_generation(generation)
            back = f"the model stands at iteration {generation.iteration}, the last one saved"
        History(self._folder / "history.jsonl", self._iteration)
        raise StageError(
            f"model '{self._name}' lost its way at iteration {iteration}: loss {what}; {back}.  "
            "Lower the learning rate, then start again",
            stage=self._name,
        )

    def _load_generation(self, generation: checkpoint.Generation) -> None:
        try:
            self._trainer.load(generation.state())
        except InputError as error:
            raise InputError(f"generation '{generation.folder}': {error}") from error
        self._iteration = self._saved = generation.iteration
        self._before, self._generation = generation.seconds, generation.folder

    def _mean_losses(self) -> dict[str, float]:
        names = self._recent[-1] if self._recent else ()
        return {
            name: sum(losses[name] for losses in self._recent) / len(self._recent) for name in names
        }

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._say("note", text=text)

    def _say(
        self,
        event: Literal["step", "note", "saved", "preview"],
        *,
        losses: Mapping[str, float] | None = None,
        ms: float = 0.0,
        path: Path | None = None,
        text: str = "",
    ) -> None:
        self._tell(
            TrainProgress(
                event=event,
                iteration=self._iteration,
                goal=self._options.iterations,
                seconds=time.monotonic() - self._begun,
                losses=losses or (self._recent[-1] if self._recent else {}),
                ms=ms,
                path=path,
                text=text,
            )
        )


def _due(iteration: int, every: int) -> bool:
    return every > 0 and iteration % every == 0


def _card(provider: ModelProvider, options: Any, trainer: Trainer) -> checkpoint.ModelCard:
    dist = type(options).__module__.partition(".")[0].replace("_", "-")
    try:
        version = importlib.metadata.version(dist)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return checkpoint.ModelCard(
        plugin=provider.name,
        dist_version=version,
        options=plain(options),
        face_type=trainer.spec.face_type.value,
        size=trainer.spec.size,
    )


def _check_card(folder: Path, provider: ModelProvider, options: Any) -> None:
    """Raise InputError where the folder belongs to another plugin."""
    card = checkpoint.read_card(folder)
    if card is not None and card.plugin != provider.name:
        raise InputError(
            f"model '{folder}': was made by '{card.plugin}', not by '{provider.name}'; "
            "train with that plugin, or into another folder"
        )


@contextlib.contextmanager
def _torch_settings(context: Context, options: TrainOptions) -> Iterator[None]:
    """Threads and determinism for this run, put back afterwards: torch keeps them per process."""
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    try:
        torch.set_num_threads(max(1, context.threads))
        if options.deterministic:
            torch.use_deterministic_algorithms(True)
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def _autocast(
    device: torch.device, precision: str
) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """What the nets compute in.  float16 is never taken: on a CPU it is a hundred times slower."""
    good = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" or (precision == "auto" and good):
        return lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext
