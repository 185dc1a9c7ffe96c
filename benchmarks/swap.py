"""How near `mien swap` comes to its slowest stage; prints JSON.

    python benchmarks/swap.py                           a made clip of 1080p, a small random model
    python benchmarks/swap.py --clip talk.mp4 --model models/anna

alone  each stage by itself over the same frames: what came out of the stage before it lies in
       memory, and nothing else runs.  Decoding and encoding count as stages.
whole  the pipeline, decode to finished file, over all of the clip, in the same run
The pipeline cannot be faster than its slowest stage, nor than the processor time of all stages
together on the cores that there are: `bound` is the smaller of the two.  A net that takes all cores
when it is alone shares them in the whole: the smaller it is, the further the bound lies below it.
Loading nets counts in the whole, so a longer clip comes nearer to it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from harness import report, spread
from mien.config import Config, Setting
from mien.demo.clips import SIDE, TARGET
from mien.jobs.find import find_steps, finders
from mien.jobs.keyframes import constant_plan
from mien.jobs.run import Run, frame_number, make_run
from mien.jobs.swap import lower_line, maskers_of, steps_of_maskers, swap
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.plugin import open_source, open_writer
from mien.registry import Registry
from mien.runner import Step
from mien.runner import run as run_steps
from mien.stages import ModelProvider, Stage, StageBase
from mien.testing.fakes import picture
from mien.training import checkpoint
from mien.types import Frame

WIDE, HIGH, RATE = 1920, 1080, 25


def make_clip(path: Path, count: int) -> Path:
    """A head of 400 pixels that moves in front of a still picture."""
    info = ClipInfo(uri=str(path), width=WIDE, height=HIGH, frames=count, rate=Fraction(RATE))
    writer = open_writer(path, OutputPlan(target=info, options=OutputOptions()))
    plate, photograph = picture(WIDE, HIGH, seed=3), TARGET.load()
    x, y = (WIDE - SIDE) // 2, (HIGH - SIDE) // 2
    for number in range(count):
        image = plate.copy()
        image[y : y + SIDE, x : x + SIDE] = TARGET.frame(photograph, number).image
        writer.write(
            Frame(index=number, pts=number, time_base=Fraction(1, RATE), duration=1, image=image)
        )
    return writer.finish()


def make_model(run: Run, folder: Path, size: int) -> Path:
    """A model `original` that has learned nothing."""
    provider = run.registry.get(ModelProvider, "original")
    values = {"size": size}
    options = provider.options(**values)
    state = provider.train(options, run.context).state()
    folder.mkdir()
    card = checkpoint.ModelCard(
        plugin="original", dist_version="0", options=values, face_type="full", size=size
    )
    checkpoint.write_card(folder, card)
    checkpoint.save(folder, state, 1)
    return folder


class Counted(StageBase):
    """A stage whose processor seconds are counted, those of its nets' threads too."""

    def __init__(self, stage: Stage[Any, Any]) -> None:
        self.stage, self.cpu = stage, 0.0
        self.batch_size, self.window = stage.batch_size, stage.window

    def open(self) -> None:
        """Open the stage."""
        self.stage.open()

    def close(self) -> None:
        """Close the stage."""
        self.stage.close()

    def __call__(self, batch: Sequence[Any], /) -> Sequence[Any]:
        """What the stage gives."""
        began = time.process_time()
        given = self.stage(batch)
        self.cpu += time.process_time() - began
        return given


def alone(run: Run, output: Path, count: int) -> tuple[dict[str, float], float]:
    """Frames a second of each stage by itself; processor seconds a frame of all of them."""
    plan = constant_plan(run)
    maskers = maskers_of(run, plan)
    steps = [*find_steps(run), *steps_of_maskers(run, plan, maskers)]
    steps += lower_line(run, plan, [*finders(run), *maskers]).steps
    rates: dict[str, float] = {}
    with run.source(run.config.job().input) as source:
        began, cpu_began = time.perf_counter(), time.process_time()
        items: list[Any] = list(source.frames(0, count))
        rates["decode"] = len(items) / (time.perf_counter() - began)
        cpu = time.process_time() - cpu_began
        info = source.info
    for step in steps:
        counted = Counted(step.stage)
        out: list[Any] = []
        line = [Step(name=step.name, stage=counted)]
        done = run_steps(iter(items), line, out.append, index_of=frame_number)
        items, seconds = out, done.steps[0].seconds
        rates[step.name] = len(items) / seconds if seconds else float("inf")
        cpu += counted.cpu
    options = run.config.section("encode", OutputOptions)
    writer = open_writer(output, OutputPlan(target=info, options=options))
    began, cpu_began = time.perf_counter(), time.process_time()
    for item in items:
        writer.write(item.frame)
    writer.finish()
    rates["encode"] = len(items) / (time.perf_counter() - began)
    cpu += time.process_time() - cpu_began
    return rates, cpu / len(items)


def runs_of(registry: Registry, settings: Mapping[str, Any], folder: Path) -> Iterator[Run]:
    """Fresh runs of the same swap, each with an output of its own."""
    number = 0
    while True:
        values = {**settings, "output": str(folder / f"out{number}.mp4")}
        chosen = [Setting(key=key, value=value, origin="") for key, value in values.items()]
        yield make_run("swap", registry, Config(registry, chosen))
        number += 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--size", type=int, default=128, help="side of the random model")
    parser.add_argument("--frames", type=int, default=96, help="of the clip, for a stage alone")
    parser.add_argument("--times", type=int, default=3, help="so many times as long a made clip is")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    registry = Registry.installed()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clip = args.clip or make_clip(folder / "clip.mp4", args.frames * args.times)
        settings = {
            "input": str(clip),
            "model_folder": str(args.model or folder / "model"),
            "runtime.device": args.device,
            "runtime.threads": args.threads,
        }
        lent = runs_of(registry, settings, folder)
        if args.model is None:
            make_model(next(lent), folder / "model", args.size)
        source = open_source(clip)
        info = source.info
        count = min(info.frames, args.frames)
        source.close()
        alone(next(lent), folder / "warm.mp4", 8)  # nets are exported once
        stages: dict[str, list[float]] = {}
        whole, ratios, bounds = [], [], []
        for turn in range(args.runs):
            rates, cpu = alone(next(lent), folder / f"alone{turn}.mp4", count)
            done = swap(next(lent))
            fps = done.frames / done.report.seconds
            for name, rate in rates.items():
                stages.setdefault(name, []).append(rate)
            slowest = min(rates.values())
            cores = len(os.sched_getaffinity(0))
            bound = min(slowest, cores / cpu)
            whole.append(fps)
            ratios.append(fps / slowest)
            bounds.append(fps / bound)
    report(
        "swap",
        {
            "clip": clip.name,
            "size": f"{info.width}x{info.height}",
            "frames_alone": count,
            "frames": info.frames,
            "device": args.device,
            "threads": args.threads,
        },
        {
            "stages_alone_fps": {name: spread(values, 2) for name, values in stages.items()},
            "whole_fps": spread(whole, 2),
            "over_slowest_stage": spread(ratios, 3),
            "over_bound": spread(bounds, 3),
        },
    )


if __name__ == "__main__":
    main()
