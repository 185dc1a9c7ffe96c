"""Milliseconds per iteration of the models: our step against plain eager torch; prints JSON.

    python benchmarks/train_models.py --models original dfaker saehd --rounds 5 > train_models.json

Variants of one model, all with the same weights, run in turn in each round, so that a busy machine
disturbs all alike:
  plain   float32, NCHW, torch's own convolutions, each person through the encoder alone, the
          optimizer as one would write it first: torch's own Adam, or a line of torch for each
          line of the formula
  ours    what `mien train` runs
  ours, channels last  as ours with `train.channels_last = on`
  ours, compiled       as ours with `train.compile = on` (only with --compile)
  ours, bf16           as ours with `train.precision = bf16` (only with --bf16)
`alike` compares the losses after --alike iterations of learning from the same faces, plain and
with every variant: means over the last tenth of them, the largest difference of any, in percent.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from harness import report, spread
from mien.nets import convolution
from mien.options import parse
from mien.training.base import Side, TrainBatch, Trainer
from mien.training.engine import Engine
from mien.training.learning.optimizers import EPSILON, AdaBelief, Adam, FaceOptimizer
from mien.training.options import TrainOptions
from mien.training.processes import Processes
from torch import Tensor, nn

# Plugin package, options, faces of each person: as the project's aims name them.
MODELS: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "original": ("mien_model_original", {}, 16),
    "dfaker": ("mien_model_dfaker", {}, 16),
    "saehd": ("mien_model_saehd", {"archi": "df-ud", "resolution": 128}, 4),
}


class BenchContext:
    """As much of a run's context as a trainer uses."""

    precision, threads, seed = "fp32", 1, 0

    def __init__(self, device: str) -> None:
        self.device = device

    def rng(self, *names: str | int) -> np.random.Generator:
        return np.random.default_rng(0)


class OneByOne(nn.Module):
    """Both halves of a batch through an encoder, one after the other."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, seen: Tensor) -> Any:
        made = [self.encoder(half) for half in seen.chunk(2)]
        if isinstance(made[0], Tensor):
            return torch.cat(made)
        return tuple(torch.cat(parts) for parts in zip(*made, strict=True))


def plain_move(optimizer: FaceOptimizer) -> Callable[..., None]:
    """The optimizer's formula as one would write it first."""
    if isinstance(optimizer, Adam):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        stock = torch.optim.Adam(weights, lr=optimizer.param_groups[0]["lr"], eps=optimizer.eps)
        return lambda weights, gradients, rates: stock.step()
    if not isinstance(optimizer, AdaBelief):
        raise SystemExit(f"no plain form of {type(optimizer).__name__} is written here")
    means: dict[Tensor, Tensor] = {}
    strays: dict[Tensor, Tensor] = {}

    def move(weights: list[Tensor], gradients: list[Tensor], rates: list[float]) -> None:
        for weight, gradient, rate in zip(weights, gradients, rates, strict=True):
            mean = means.setdefault(weight, torch.zeros_like(weight))
            stray = strays.setdefault(weight, torch.zeros_like(weight))
            mean.mul_(0.9).add_(gradient, alpha=0.1)
            stray.mul_(0.999).add_((gradient - mean).square(), alpha=0.001)
            weight.sub_(rate * mean / (stray.sqrt() + EPSILON))

    return move


def make(name: str, device: str, *, plain: bool = False, **changes: Any) -> Callable[..., Any]:
    """A function that learns from a batch, and gives the losses."""
    package, options, _ = MODELS[name]
    options = {**options, **changes.pop("options", {})}
    plugin = importlib.import_module(package)
    trainer: Trainer = plugin.train(parse(plugin.Options, options), BenchContext(device))
    if plain:
        net = trainer.learners.net
        for optimizer in trainer.learners.optimizers:
            optimizer.move = plain_move(optimizer)  # type: ignore[method-assign]
        net.encoder = OneByOne(net.encoder)
        changes = {"channels_last": "off", "compile": "off", "precision": "fp32"}
    engine = Engine(trainer, TrainOptions(**changes), torch.device(device), Processes())
    count = [0]
    roads = patch.object(convolution, "_learns", lambda *_: False) if plain else nullcontext()

    def learn(batch: TrainBatch) -> Mapping[str, float]:
        with engine.step(count[0]), roads:
            losses = trainer.step(batch)
        count[0] += 1
        if device != "cpu":
            torch.cuda.synchronize()
        return losses

    learn.sizes = trainer.input_size, trainer.output_size  # type: ignore[attr-defined]
    return learn


def faces(sizes: tuple[int, int], count: int, seed: int, device: str) -> TrainBatch:
    """Soft blobs of colour: as easy to learn as faces are, unlike noise."""
    generator = torch.Generator().manual_seed(seed)

    def side() -> Side:
        rough = torch.rand(count, 3, 6, 6, generator=generator)
        seen, face = (
            nn.functional.interpolate(rough, (size, size), mode="bicubic").clamp(0, 1).to(device)
            for size in sizes
        )
        mask = torch.ones(count, 1, sizes[1], sizes[1], device=device)
        return Side(warped=seen, face=face, mask=mask, focus=torch.zeros_like(mask))

    return TrainBatch(source=side(), target=side())


def measure(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Times and likeness of one model's variants."""
    device, count = asked.device, asked.faces or MODELS[name][2]
    kinds: dict[str, dict[str, Any]] = {
        "plain": {"plain": True},
        "ours": {},
        "ours, channels last": {"channels_last": "on"},
    }
    if asked.compile:
        kinds["ours, compiled"] = {"compile": "on"}
    if asked.bf16:
        kinds["ours, bf16"] = {"precision": "bf16"}
    variants = {
        kind: make(name, device, options=asked.options, **changes)
        for kind, changes in kinds.items()
    }
    batches = [faces(variants["ours"].sizes, count, seed, device) for seed in range(4)]
    times: dict[str, list[float]] = {kind: [] for kind in variants}
    losses: dict[str, list[Mapping[str, float]]] = {kind: [] for kind in variants}
    for number in range(max(asked.rounds + 1, asked.alike)):
        for kind, learn in variants.items():
            begun = time.perf_counter()
            losses[kind].append(learn(batches[number % len(batches)]))
            if number:  # the first round warms up
                times[kind].append((time.perf_counter() - begun) * 1000)
    found = {kind: spread(seen, 1) for kind, seen in times.items()}
    plain = found["plain"]["median"]
    return {
        "faces_of_each": count,
        "ms": found,
        "iterations_against_plain": {
            kind: round(plain / each["median"], 3) for kind, each in found.items()
        },
        "losses": {kind: settled(each) for kind, each in losses.items()},
        "alike": {kind: apart(losses["plain"], each) for kind, each in losses.items()},
    }


def settled(losses: list[Mapping[str, float]]) -> dict[str, float]:
    """The means of the last tenth."""
    last = losses[-max(1, len(losses) // 10) :]
    return {key: round(float(np.mean([each[key] for each in last])), 5) for key in last[0]}


def apart(one: list[Mapping[str, float]], other: list[Mapping[str, float]]) -> float:
    """The largest difference of any loss, in percent."""
    wanted, found = settled(one), settled(other)
    return round(max(100 * abs(found[key] / wanted[key] - 1) for key in wanted), 3)


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alike", type=int, default=0, help="iterations before losses compare")
    parser.add_argument("--faces", type=int, default=0, help="of each person; 0 as aimed at")
    parser.add_argument("--options", type=json.loads, default={}, help="of the models, as JSON")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    load = [round(value, 2) for value in os.getloadavg()]
    report(
        "train_models",
        {**vars(asked), "load_before": load},
        {name: measure(name, asked) for name in asked.models},
    )


if __name__ == "__main__":
    main()
