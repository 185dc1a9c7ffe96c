"""Milliseconds per iteration of the original model: our step against plain eager torch.

    python benchmarks/train_original.py --width 1.0 --batch 16 --rounds 5 > train_original.json

Variants, run in turn in each round so that a busy machine disturbs all alike:
  plain    NCHW, each person through the encoder alone, stock Adam
  fused    as plain, with fused Adam
  ours     both people through the encoder in one batch, fused Adam: what `mien train` runs
  ours_channels_last  as ours, nets and pictures channels last
  augment  making the batch that a step learns from
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from harness import report, spread
from mien.training.augment import Augmenter
from mien.training.base import Side, TrainBatch
from mien.training.options import TrainOptions
from mien_model_original import Options
from mien_model_original.trainer import OriginalTrainer


class BenchContext:
    """As much of a run's context as a trainer uses."""

    device = "cpu"

    def rng(self, *names: str | int) -> np.random.Generator:
        return np.random.default_rng(0)


class PlainTrainer(OriginalTrainer):
    """The step as one would write it first."""

    def __init__(self, options: Options, *, fused: bool) -> None:
        super().__init__(options, BenchContext())  # type: ignore[arg-type]
        self._adam = torch.optim.Adam(
            self._net.parameters(), lr=options.learning_rate, eps=1e-7, foreach=False, fused=fused
        )

    def step(self, batch: TrainBatch) -> dict[str, float]:
        net = self._net
        source = self._loss(net.source(net.encoder(batch.source.warped)), batch.source)
        target = self._loss(net.target(net.encoder(batch.target.warped)), batch.target)
        self._adam.zero_grad()
        torch.autograd.backward(source + target)
        self._adam.step()
        return {"source": float(source.detach()), "target": float(target.detach())}


def variants(options: Options, batch: int) -> dict[str, Callable[[], object]]:
    side = random_side(batch, options.size)
    both = TrainBatch(source=side, target=side)
    last = replace(side, warped=side.warped.contiguous(memory_format=torch.channels_last))
    both_last = TrainBatch(source=last, target=last)
    ours = OriginalTrainer(options, BenchContext())  # type: ignore[arg-type]
    ours_last = OriginalTrainer(options, BenchContext())  # type: ignore[arg-type]
    ours_last._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain, fused = (PlainTrainer(options, fused=on) for on in (False, True))
    augmenter = Augmenter(TrainOptions(), options.size, torch.device("cpu"))
    faces = (torch.rand(batch, 4, options.size, options.size) * 255).to(torch.uint8)
    generator = torch.Generator().manual_seed(0)

    def augment() -> None:
        for _ in range(2):
            augmenter.random(faces, options.size, options.size, generator)

    return {
        "plain": lambda: plain.step(both),
        "fused": lambda: fused.step(both),
        "ours": lambda: ours.step(both),
        "ours_channels_last": lambda: ours_last.step(both_last),
        "augment": augment,
    }


def random_side(batch: int, size: int) -> Side:
    generator = torch.Generator().manual_seed(0)
    warped, face = (torch.rand(batch, 3, size, size, generator=generator) for _ in range(2))
    mask = torch.ones(batch, 1, size, size)
    return Side(warped=warped, face=face, mask=mask, focus=torch.zeros_like(mask))


def measure(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, Any]]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if number:  # the first round warms up
                times[name].append((time.perf_counter() - begun) * 1000)
    return {name: spread(seen, 1) for name, seen in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    options = Options(width=args.width)
    report(
        "train_original",
        {
            "width": args.width,
            "batch": args.batch,
            "rounds": args.rounds,
            "threads": args.threads,
            "load_before": [round(value, 2) for value in os.getloadavg()],
            "unit": "milliseconds per iteration",
        },
        measure(variants(options, args.batch), args.rounds),
    )


if __name__ == "__main__":
    main()
