"""What faces cost: CPU milliseconds per batch of both people, beside a step of two models.

    python benchmarks/train_data.py --sizes 64 128 --batches 4 16 > train_data.json

Each option is switched on alone over a still face (crop, bytes to floats, one interpolation);
`default` is what a training does that sets nothing.  `faces_s` counts faces a second of CPU time.
The cost of a batch is CPU time of the whole process, so that a busy machine disturbs it little;
`--wall` also tells how long an iteration takes with the next batch made ahead, and without; the
model `waiting` leaves the processor to it, as a GPU does.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import report, spread
from mien.stages import ColorPair, StageBase
from mien.training.base import TrainBatch, Trainer
from mien.training.data.dataset import FaceCache
from mien.training.data.supply import Demand, Supply
from mien.training.options import TrainOptions
from mien.types import CropSpec

STILL: dict[str, Any] = {
    **{"flip_source": 0.0, "flip_target": 0.0, "rotation": 0.0, "zoom": 0.0, "shift": 0.0},
    **{"warp": 0.0, "color": 0.0},
}
CASES: dict[str, dict[str, Any]] = {
    "still": STILL,
    "move": {**STILL, "flip_target": 0.5, "rotation": 10.0, "zoom": 0.05, "shift": 0.05},
    "warp grid": {**STILL, "warp": 1.0},
    "warp dfl": {**STILL, "warp": 1.0, "warp_kind": "dfl"},
    "warp landmarks": {**STILL, "warp": 1.0, "warp_kind": "landmarks"},
    "color": {**STILL, "color": 1.0},
    "hsv_power": {**STILL, "hsv_power": 0.1},
    "lab": {**STILL, "lab_light": 0.3, "lab_color": 0.08},
    "clahe": {**STILL, "clahe": 0.5},
    "uniform_yaw": {**STILL, "uniform_yaw": True},
    "color_transfer": {**STILL, "color_transfer": "mean"},
    "default": {},
    "everything": {
        **{"warp_kind": "landmarks", "hsv_power": 0.1, "uniform_yaw": True},
        **{"lab_light": 0.3, "lab_color": 0.08, "clahe": 0.5, "color_transfer": "mean"},
    },
}
FACES = 256


class BenchContext:
    """As much of a run's context as data and trainers use."""

    precision, threads, seed = "fp32", 1, 0

    def __init__(self, device: str) -> None:
        self.device = device

    def rng(self, *names: str | int) -> np.random.Generator:
        return np.random.default_rng([sum(str(name).encode()) for name in names])


class Waiting:
    """A model whose step keeps no core busy, as one on a GPU that asks for nothing."""

    spec = CropSpec(size=128)

    def step(self, batch: TrainBatch) -> None:
        time.sleep(0.05)


class Mean(StageBase):
    """The cheapest colour transfer there is: what is measured is the way to it and back."""

    def __call__(self, batch: Sequence[ColorPair], /) -> list[Any]:
        return [np.clip(pair.swap + (pair.plate - pair.swap).mean((0, 1)), 0, 1) for pair in batch]


def faces(size: int, seed: int) -> FaceCache:
    """Random faces, with landmarks that lie as a face's do."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.2, 0.8, (1, 68, 2)) + rng.normal(0, 0.01, (FACES, 68, 2))
    pictures = rng.integers(0, 256, (FACES, 5, size, size), np.uint8)
    return FaceCache(
        faces=torch.from_numpy(pictures),
        paths=tuple(Path(f"{index}.png") for index in range(FACES)),
        landmarks=torch.from_numpy((points * size).astype(np.float32)),
        yaws=torch.from_numpy(rng.normal(0, 0.4, FACES).astype(np.float32)),
        folder=Path(),
        fingerprint="",
        count=FACES,
    )


def supply(
    both: tuple[FaceCache, FaceCache], batch: int, case: str, device: str, ahead: bool = False
) -> Supply:
    size = both[0].faces.shape[-1]
    options = TrainOptions(**CASES[case] | {"prefetch": ahead})
    demand = Demand(spec=CropSpec(size=size), input_size=size, output_size=size, batch_size=batch)
    color = Mean() if options.color_transfer else None
    return Supply(*both, demand, options, BenchContext(device), color=color)  # type: ignore[arg-type]


def cost(run: Callable[[int], object], rounds: int, device: str) -> list[float]:
    """Milliseconds of each round but the first: of the CPU, or of the wall where a GPU works."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    found = []
    for number in range(rounds + 1):
        begun = clock()
        run(number)
        if device != "cpu":
            torch.cuda.synchronize()
        found.append((clock() - begun) * 1000)
    return found[1:]


def measure(sizes: list[int], batches: list[int], rounds: int, device: str) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for size in sizes:
        both = faces(size, 0), faces(size, 1)
        for batch in batches:
            place = results.setdefault(f"{size} px, batch {batch}", {})
            for case in CASES:
                with supply(both, batch, case, device) as made:
                    times = spread(cost(made.batch, rounds, device), 2)
                place[case] = {"ms": times, "faces_s": round(2000 * batch / times["median"])}
    return results


def trainers(names: list[str], device: str) -> dict[str, tuple[Trainer, int]]:
    """Models with their batch sizes; imported here, since the data needs none of them."""
    from mien_model_original import Options as Original
    from mien_model_original import train as original
    from mien_model_saehd import Options as Saehd
    from mien_model_saehd import train as saehd

    context: Any = BenchContext(device)
    known: dict[str, Callable[[], tuple[Any, int]]] = {
        "original": lambda: (original(Original(), context), 16),
        "waiting": lambda: (Waiting(), 8),
        "saehd": lambda: (saehd(Saehd(archi="df-ud"), context), 4),
    }
    return {name: known[name]() for name in names}


def beside_steps(names: list[str], rounds: int, device: str, wall: bool) -> dict[str, Any]:
    """A step of each model, and the share of an iteration that its faces take."""
    results: dict[str, Any] = {}
    for name, (trainer, batch) in trainers(names, device).items():
        size = trainer.spec.size
        both = faces(size, 0), faces(size, 1)
        with supply(both, batch, "default", device) as made:
            data = spread(cost(made.batch, rounds, device), 2)
            learn = partial(_step, trainer, made.batch(0))
            step = spread(cost(learn, rounds, device), 2)
        share = data["median"] / (data["median"] + step["median"])
        results[name] = {"batch": batch, "size": size, "data_ms": data, "step_ms": step}
        results[name]["share_of_iteration"] = round(share, 4)
        if wall:
            results[name]["wall_ms"] = both_ways(trainer, both, batch, rounds, device)
    return results


def _step(trainer: Trainer, batch: TrainBatch, number: int) -> object:
    return trainer.step(batch)


def both_ways(
    trainer: Trainer, both: tuple[FaceCache, FaceCache], batch: int, rounds: int, device: str
) -> dict[str, Any]:
    """Iterations with the next batch made ahead and with none, in turn; wall time."""
    ways = {
        name: supply(both, batch, "default", device, ahead=name == "ahead")
        for name in ("ahead", "in turn")
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, made in ways.items():
            begun = time.perf_counter()
            trainer.step(made.batch(number))
            if device != "cpu":
                torch.cuda.synchronize()
            if number:
                times[name].append((time.perf_counter() - begun) * 1000)
    for made in ways.values():
        made.close()
    return {name: spread(found, 2) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 128, 256])
    parser.add_argument("--batches", type=int, nargs="*", default=[4, 16])
    parser.add_argument("--models", nargs="*", default=["original", "saehd"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--wall", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = vars(args) | {"load_before": [round(value, 2) for value in os.getloadavg()]}
    results = {
        "batches": measure(args.sizes, args.batches, args.rounds, args.device),
        "steps": beside_steps(args.models, args.rounds, args.device, args.wall),
    }
    report("train_data", config, results)


if __name__ == "__main__":
    main()
