"""What is worth showing of a training while it runs, as figures by name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training.progress import TrainProgress

_KEEP = 0.98
_LOOK_SECONDS = 1.0
_MEGA = 1e6


class Figures:
    """Hears a training, and says where it stands: losses and pace are means of recent iterations.

    minutes  after which it shall end, 0 where it has no such limit
    """

    def __init__(self, minutes: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._minutes, self._clock = minutes, clock
        self._means: dict[str, float] = {}
        self._weight = 0.0
        self._saved = clock()
        self._memory: dict[str, float] = {}
        self._looked = -_LOOK_SECONDS

    def hear(self, progress: TrainProgress) -> Mapping[str, float]:
        """The figures after an event of the loop."""
        if progress.event == "saved":
            self._saved = self._clock()
        elif progress.event == "step":
            self._follow({**progress.losses, "ms an iteration": progress.ms})
        found = dict(self._means)
        if self._means.get("ms an iteration"):
            found["faces a second"] = progress.faces / self._means["ms an iteration"] * 1000
        found |= self._look_at_memory()
        found["seconds since the save"] = self._clock() - self._saved
        if self._minutes:
            found["minutes left"] = max(0.0, self._minutes - progress.seconds / 60)
        return found

    def _follow(self, values: Mapping[str, float]) -> None:
        self._weight = self._weight * _KEEP + 1
        before = {name: self._means.get(name, value) for name, value in values.items()}
        self._means = {
            name: mean + (values[name] - mean) / self._weight for name, mean in before.items()
        }

    def _look_at_memory(self) -> dict[str, float]:
        if self._clock() - self._looked >= _LOOK_SECONDS:
            self._looked = self._clock()
            here, there = used_memory(), used_gpu_memory()
            self._memory = {"memory MB": here / _MEGA} if here else {}
            if there:
                self._memory["GPU memory MB"] = there / _MEGA
        return self._memory


def used_memory() -> int:
    """Bytes of this process in memory; the most it ever had where the system tells only that, 0
    where it tells nothing."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def used_gpu_memory() -> int:
    """Bytes that torch holds on the GPU, 0 where it uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.memory_reserved())
