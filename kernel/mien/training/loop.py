"""The training loop, which the kernel owns: a model only says what one step is.

A `Session` is one stage of a training: one set of options, until its end.
"""
# ruff: noqa: TID253  (imported only when a training begins)

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from ..arrays import Image
from ..errors import InputError, StageError
from ..stages import ColorTransferStage, Context, ModelProvider
from . import checkpoint, rate_finder
from .base import TrainBatch, Trainer
from .borrowing import borrow
from .data.identity import compare
from .data.kept import Facesets
from .data.supply import Demand, Supply
from .engine import Engine
from .memory import check_device, fitting_batch, is_out_of_memory
from .options import TrainOptions
from .plan import Until
from .processes import Processes
from .progress import End, Progress, TrainProgress, TrainReport
from .recovery import Watchdog
from .saving import Saver
from .show.heldout import Probes
from .show.scene import make_scene, settings_of, uncompiled
from .show.watch import Onlooker, Watcher
from .standing import Standing

_BATCH = 16


@dataclass(kw_only=True, eq=False)
class Session:
    """One stage in progress.

    faces  the facesets of source and target;  until  the stage's end;  last  whether none follows
    transfer  makes the colour transfer of a name;  probes  what looks at held-out swaps
    facesets  what earlier stages brought into memory
    """

    provider: ModelProvider
    options: Any
    context: Context
    train_options: TrainOptions
    folder: Path
    faces: tuple[Path, Path]
    until: Until
    last: bool
    standing: Standing
    processes: Processes
    progress: Progress
    transfer: Callable[[str], ColorTransferStage]
    probes: Probes = field(default_factory=Probes)
    facesets: Facesets = field(default_factory=Facesets)

    def open(self, said: Sequence[str] = ()) -> None:
        """Make the model, bring the facesets into memory, go on from the newest generation.

        said  sentences about the folder that the user should hear first
        """
        self._device = torch.device(self.context.device)
        self._iteration = 0
        self._begun = time.monotonic()
        self._saver = Saver(self.folder, self.train_options, self.processes)
        self._recent: list[Mapping[str, float]] = []
        self._notes: list[str] = []
        self._recovered = 0
        self._borrowed: tuple[str, ...] = ()
        self._watcher = Onlooker()
        self._batch_size = self.train_options.batch_size or self.standing.batch or _BATCH
        for note in said:
            self._note(note)
        if self._make_again():
            self._note(f"goes on from iteration {self._iteration}")
        for note in self._borrowed:
            self._note(note)
        self._load_faces()
        self._meet_people()
        self._recognise()
        self._watch()

    def _make(self) -> None:
        """The model as it begins, and the engine around it."""
        self.trainer: Trainer = self.provider.train(self.options, self.context)
        self._engine = Engine(self.trainer, self.train_options, self._device, self.processes)
        self._engine.factor = self.standing.factor
        self._watchdog = Watchdog()

    def _load_faces(self) -> None:
        options, context = self.train_options, self.context
        both = self.facesets.load(self.faces, self.trainer.spec, options, context, self._note)
        color = self.transfer(options.color_transfer) if options.color_transfer else None
        self._supply = Supply(
            *both, self._demand(), options, context, color=color, stride=self.processes.count
        )

    def _demand(self) -> Demand:
        trainer = self.trainer
        return Demand(
            spec=trainer.spec,
            input_size=trainer.input_size,
            output_size=trainer.output_size,
            batch_size=self._batch_size,
        )

    def _watch(self) -> None:
        """Choose the faces that are shown and held out, and show what happens."""
        scene = make_scene(
            name=self.provider.name,
            folder=self.folder,
            supply=self._supply,
            demand=self._demand(),
            options=self.train_options,
            context=self.context,
            show=self._show,
            settings=settings_of(self.train_options, self.options, self._batch_size, self._device),
            probes=self.probes,
            say=self._note,
            keep=self.processes.leads,
        )
        if self.processes.leads:
            self._watcher = Watcher(scene, self.train_options, self._hear)

    def _show(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        with self._engine.computing(), self._engine.averaged(), uncompiled():
            return self.trainer.preview(batch)

    def _deal(self) -> None:
        self._supply.vary(self._demand(), self.train_options)

    def _meet_people(self) -> None:
        """After learning faces in general: what belongs to the two people begins anew."""
        general = bool(self.train_options.pretrain)
        if self.standing.general and not general:
            fresh = self.provider.train(self.options, self.context)
            self.trainer.learners.meet_people(fresh.learners)
            self._iteration = self.standing.begun = 0
            self.standing.general, self.standing.faces = False, {}
            self._note("has learned faces in general, and now begins with the two people")
            self._engine.restart()
            self._save()
            if self.processes.leads:
                checkpoint.restore(self.folder, 0)
        self.standing.general = general

    def _recognise(self) -> None:
        """Say where the facesets are not those of before; refuse them where they are exchanged."""
        now = self._supply.identity()
        for note in compare(self.standing.faces, now):
            self._note(note)
        self.standing.faces = now

    # --- the course of a stage --------------------------------------------------------------------

    def go(self, cancel: threading.Event, title: str = "") -> TrainReport:
        """Learn until it is enough, then save.  title  of the stage, told as it begins"""
        ended, session = "failed", dict[str, Any]()
        with self._supply:
            try:
                report = self._go(cancel, title)
                ended = report.ended
            finally:
                session = self._watcher.close(ended)
        return replace(report, session=session)

    def _go(self, cancel: threading.Event, title: str) -> TrainReport:
        self._watcher.begin(self._iteration, self.standing.begun)
        if title:
            self._note(f"{title} begins")
        if not self.train_options.batch_size and not self.standing.batch:
            self._find_batch()
        if self.train_options.find_rate and not self._iteration:
            self._find_rate()
        self._begun = time.monotonic()
        self._saver.begin()
        start = self._iteration
        while (ended := self._enough(cancel)) is None:
            self._step()
            if self._saver.is_due(self._iteration):
                self._watched_save()
        if self._iteration > self._saver.iteration:
            self._watched_save()
        if ended == "iterations" and self._iteration == start:
            asked = self.train_options.iterations
            self._note(
                f"is at iteration {start} already, and {asked} are asked for; raise "
                "train.iterations to go on"
            )
        return TrainReport(
            ended=ended,
            iteration=self._iteration,
            steps=self._iteration - start,
            seconds=time.monotonic() - self._begun,
            losses=self._mean_losses(),
            generation=self._saver.generation,
            notes=tuple(self._notes),
        )

    def _enough(self, cancel: threading.Event) -> End | None:
        options, until = self.train_options, self.until
        here = self.standing.seconds + self._saver.spent
        if self.processes.agree(float(cancel.is_set())):
            return "cancelled"
        if options.iterations and self._iteration >= options.iterations:
            return "iterations"
        if self.processes.agree(time.monotonic() - self._begun) >= options.minutes * 60 > 0:
            return "minutes"
        if not self.last and (
            0 < until.iterations <= self._iteration - self.standing.begun
            or self.processes.agree(here) >= until.minutes * 60 > 0
            or (until.plateau and self.processes.agree(self._watcher.plateau(until.plateau)))
        ):
            return "stage"
        return None

    def _step(self) -> None:
        begun = time.perf_counter()
        losses = self._learn()
        ms = (time.perf_counter() - begun) * 1000
        wrong = self._watchdog.see(losses)
        if self.processes.agree(float(bool(wrong))):
            self._recover(wrong or "another process lost its way")
            return
        self._iteration += 1
        self._recent = [*self._recent[-49:], losses]
        self._say("step", losses=losses, ms=ms)
        self._watcher.after_step(
            self._iteration, losses, ms, rate=self._rate(), faces=self._faces_at_once()
        )

    def _rate(self) -> float:
        optimizer = self.trainer.learners.optimizer
        return float(optimizer.param_groups[0]["lr"]) * optimizer.factor

    def _faces_at_once(self) -> int:
        return 2 * self._batch_size * self.processes.count

    def _learn(self) -> Mapping[str, float]:
        """One step, in batches that fit into memory."""
        while True:
            try:
                with self._engine.step(self._iteration):
                    return self.trainer.step(self._batch(self._iteration))
            except (RuntimeError, MemoryError) as error:
                name, saved = self.provider.name, self._saver.iteration
                check_device(error, name, self._iteration + 1, saved)
                if not is_out_of_memory(error):
                    raise
                if self._batch_size == 1 or self.processes.count > 1:
                    raise StageError(
                        f"model '{self.provider.name}': not even {self._batch_size} faces fit into "
                        "memory; set train.checkpointing, train.offload, or take a smaller model",
                        stage=self.provider.name,
                    ) from error
            self._take_less()

    def _take_less(self) -> None:
        """Halve the batch."""
        self._batch_size = max(1, self._batch_size // 2)
        self.standing.batch = self._batch_size
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        for optimizer in self.trainer.learners.optimizers:
            optimizer.zero_grad()
        self._deal()
        self._note(f"memory is full: goes on with batches of {self._batch_size}")

    def _batch(self, iteration: int) -> TrainBatch:
        """What an iteration learns from: the same in every run, whether interrupted or not."""
        return self._supply.batch(iteration * self.processes.count + self.processes.rank)

    # --- before it begins -------------------------------------------------------------------------

    def _find_batch(self) -> None:
        """The most faces that fit into the GPU's memory."""
        if self._device.type == "cuda":
            self._batch_size = fitting_batch(self._tries, most=len(self._supply.source))
            self._deal()
            self._make_again()
        self.standing.batch = self._batch_size
        self._note(f"learns from {self._batch_size} faces of each person at once")

    def _tries(self, count: int) -> None:
        self._batch_size = count
        self._deal()
        for _ in range(2):  # the optimizers take their memory with the first step
            with self._engine.step(self._iteration):
                self.trainer.step(self._batch(self._iteration))

    def _find_rate(self) -> None:
        """Learn a little at rising rates, choose one, and begin anew with it."""
        steps, losses = self.train_options.find_rate, list[float]()
        for step in range(steps):
            self._engine.factor = rate_finder.rate_at(step, steps)
            losses.append(sum(self._learn_at(step).values()))
            if rate_finder.is_over(losses):
                break
        self.standing.factor = rate_finder.best(losses, steps)
        self._make_again()
        self._note(f"found after {len(losses)} tries: {self.standing.factor:.3g} times the rate")

    def _learn_at(self, iteration: int) -> Mapping[str, float]:
        with self._engine.step(iteration):
            return self.trainer.step(self._batch(iteration))

    def _make_again(self) -> bool:
        """The model as it was saved last, True; or as it begins."""
        self._make()
        generation = checkpoint.latest(self.folder)
        if generation is not None:
            self._load_generation(generation)
        elif self.train_options.begin_with is not None:
            learners, lender = self.trainer.learners, self.train_options.begin_with
            self._borrowed = borrow(learners.net, lender, self.provider.name)
            self._engine.restart()
        return generation is not None

    # --- saving and showing -----------------------------------------------------------------------

    def _save(self) -> None:
        folder = self._saver.save(self._engine.state(), self._iteration, self.standing)
        if folder is not None:
            self._say("saved", path=folder)

    def _watched_save(self) -> None:
        self._watcher.before_save()
        self._save()
        self._watcher.after_save(self._iteration)

    # --- going back -------------------------------------------------------------------------------

    def _recover(self, wrong: str) -> None:
        """Go back to the last good generation with half the rate; raise where that is no help."""
        iteration = self._iteration + 1
        generation = checkpoint.latest(self.folder)
        self._recovered += 1
        stands = (
            f"iteration {generation.iteration}, the last one saved" if generation else "nothing"
        )
        if self._recovered > self.train_options.recover:
            if generation is not None:
                self._make_again()
            self._watcher.rewind(self._iteration if generation else 0)
            raise StageError(
                f"model '{self.provider.name}' lost its way at iteration {iteration}: "
                f"loss {wrong}; the model stands at {stands}.  Lower train.rate, then start again",
                stage=self.provider.name,
            )
        self.standing.factor = self._engine.factor / 2
        self._iteration = 0
        self._saver.forget()
        self._make_again()
        self.standing.go_back(generation.facts if generation else {})
        self._watcher.rewind(self._iteration)
        self._note(
            f"lost its way at iteration {iteration}: loss {wrong}; goes on from "
            f"iteration {self._iteration} with {self.standing.factor:.3g} times the rate"
        )

    def _load_generation(self, generation: checkpoint.Generation) -> None:
        try:
            self._engine.load(generation.state())
        except InputError as error:
            raise InputError(f"generation '{generation.folder}': {error}") from error
        self._iteration = generation.iteration
        self._saver.loaded(generation)

    # --- telling ----------------------------------------------------------------------------------

    def _mean_losses(self) -> dict[str, float]:
        names = self._recent[-1] if self._recent else ()
        return {
            name: sum(losses[name] for losses in self._recent) / len(self._recent) for name in names
        }

    def _note(self, text: str) -> None:
        self._watcher.note(text)
        self._hear("note", text, None)

    def _hear(self, event: Literal["note", "preview"], text: str, path: Path | None) -> None:
        if event == "note":
            self._notes.append(text)
        self._say(event, text=text, path=path)

    def _say(
        self,
        event: Literal["step", "note", "saved", "preview"],
        *,
        losses: Mapping[str, float] | None = None,
        ms: float = 0.0,
        path: Path | None = None,
        text: str = "",
    ) -> None:
        if not self.processes.leads:
            return
        self.progress(
            TrainProgress(
                event=event,
                iteration=self._iteration,
                goal=self.train_options.iterations,
                seconds=time.monotonic() - self._begun,
                losses=losses or (self._recent[-1] if self._recent else {}),
                ms=ms,
                faces=self._faces_at_once(),
                path=path,
                text=text,
            )
        )
