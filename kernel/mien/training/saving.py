"""When a training is saved, and with what."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from . import checkpoint
from .base import TrainerState
from .options import TrainOptions
from .processes import Processes
from .standing import Standing


class Saver:
    """Knows when the next generation is due, and writes it.

    iteration  the last one saved;  generation  its folder, None where nothing was saved
    """

    def __init__(self, folder: Path, options: TrainOptions, processes: Processes) -> None:
        self._folder, self._options, self._processes = folder, options, processes
        self.iteration = 0
        self.generation: Path | None = None
        self._before = 0.0  # seconds learned up to the generation that was loaded
        self.begin()

    def begin(self) -> None:
        """From now on time counts."""
        self._begun = self._saved_at = self._snapshot_at = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds learned by this run on top of the generation that was loaded."""
        return time.monotonic() - self._begun

    def forget(self) -> None:
        """Nothing was ever saved, or what was is loaded next."""
        self.iteration, self._before = 0, 0.0
        self._begun = time.monotonic()

    def loaded(self, generation: checkpoint.Generation) -> None:
        """Take up a generation: what is learned from here on comes on top of it."""
        self.iteration, self.generation = generation.iteration, generation.folder
        self._before, self._begun = generation.seconds, time.monotonic()

    def is_due(self, iteration: int) -> bool:
        """Whether it is time to save; never twice what is saved already."""
        options = self._options
        return iteration > self.iteration and (
            _due(iteration, options.save_every)
            or self._snapshot_is_due(iteration)
            or self._waited(self._saved_at) >= options.save_minutes * 60 > 0
        )

    def save(self, state: TrainerState, iteration: int, standing: Standing) -> Path | None:
        """Write a generation; its folder, None in a process that only helps.

        Raises OutputError where it cannot be written; older generations are untouched.
        """
        snapshot, now = self._snapshot_is_due(iteration), time.monotonic()
        self.iteration, self._saved_at = iteration, now
        if snapshot:
            self._snapshot_at = now
        if not self._processes.leads:
            return None
        spent = now - self._begun
        here = replace(standing, seconds=standing.seconds + spent)
        generation = checkpoint.save(
            self._folder,
            replace(state, facts={**state.facts, **here.facts()}),
            iteration,
            seconds=self._before + spent,
            keep=self._options.keep,
            snapshot=snapshot,
            snapshots=self._options.snapshots,
        )
        self.generation = generation.folder
        return generation.folder

    def _snapshot_is_due(self, iteration: int) -> bool:
        options = self._options
        return (
            _due(iteration, options.snapshot_every)
            or self._waited(self._snapshot_at) >= options.snapshot_hours * 3600 > 0
        )

    def _waited(self, since: float) -> float:
        return self._processes.agree(time.monotonic() - since)


def _due(iteration: int, every: int) -> bool:
    return every > 0 and iteration % every == 0
