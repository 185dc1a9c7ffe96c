"""What the streaming runner costs: stages that sleep, and stages that do nothing.

python benchmarks/runner.py [--repeats 5] > runner.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from harness import report, spread
from mien.runner import Step, run
from mien.stages import StageBase

PACES = (0.004, 0.010, 0.006, 0.002)
SLEEPERS, TINY = 300, 10_000


class Sleep(StageBase):
    def __init__(self, seconds: float, batch_size: int) -> None:
        self.seconds, self.batch_size = seconds, batch_size

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        time.sleep(self.seconds * len(batch))
        return list(batch)


class Nothing(StageBase):
    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def __call__(self, batch: Sequence[Any], /) -> Sequence[Any]:
        return batch


def seconds(count: int, stages: Sequence[StageBase]) -> float:
    steps = [Step(name=str(number), stage=stage) for number, stage in enumerate(stages)]
    return run(range(count), steps, lambda item: None, index_of=int).seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    slowest = [seconds(SLEEPERS, [Sleep(max(PACES), 4)]) for _ in range(repeats)]
    line = [seconds(SLEEPERS, [Sleep(pace, 4) for pace in PACES]) for _ in range(repeats)]
    tiny = {
        size: [TINY / seconds(TINY, [Nothing(size)] * 5) for _ in range(repeats)] for size in (1, 8)
    }
    report(
        "runner",
        {"repeats": repeats, "paces": PACES, "items": SLEEPERS, "tiny_items": TINY},
        {
            "slowest stage alone, seconds": spread(slowest),
            "whole line, seconds": spread(line),
            "whole line over slowest stage": spread(
                [whole / alone for whole, alone in zip(line, slowest, strict=True)]
            ),
            "whole line over its slowest stage's sleep": spread(
                [whole / (SLEEPERS * max(PACES)) for whole in line]
            ),
            "items a second, five empty stages, batch 1": spread(tiny[1], 0),
            "items a second, five empty stages, batch 8": spread(tiny[8], 0),
        },
    )


if __name__ == "__main__":
    main()
