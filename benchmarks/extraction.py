"""How fast faces are taken out of a clip; prints JSON.

    python benchmarks/extraction.py                     large nets, pipeline against a serial loop
    python benchmarks/extraction.py --clip talk.mp4     the default nets, decode to written faceset

serial    S3FD and FAN in eager torch, one frame and one face after the other, all cores
all       the same nets through onnxruntime, in the program's steps, a look at every frame
default   the same, with as many looks as the program takes without being told
All have random weights and the same frames, crops, decoding and files; as random weights find no
faces, the boxes are told after the detector has done its work.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import mien_fan
import mien_s3fd
import numpy as np
import torch
from harness import report, spread
from mien.config import Config, Setting
from mien.extraction import ExtractOptions, StoreStep
from mien.finding.detect import DetectStep
from mien.finding.line import find_faces
from mien.finding.options import FindOptions
from mien.jobs.extract import extract
from mien.jobs.run import make_run
from mien.media.base import ClipInfo
from mien.registry import Registry
from mien.runner import Step
from mien.runner import run as run_steps
from mien.runtime import make_context
from mien.stages import ExportPlan, FaceQuery, Session, WeightFile
from mien.testing.fakes import picture
from mien.testing.nets import golden_state
from mien.types import Detection, Face, Frame, Packet

SIZE = (640, 360)
BOX = (250.0, 90.0, 390.0, 260.0)


@dataclass(kw_only=True)
class RandomContext:
    """A context whose weight files hold random numbers; `eager` runs nets in torch instead."""

    folder: Path
    nets: Mapping[str, Callable[[], torch.nn.Module]]
    eager: bool
    device: str
    threads: int

    precision: str = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        self._real = make_context(device=self.device, threads=self.threads, cache=self.folder)

    def rng(self, *names: str | int) -> np.random.Generator:
        return self._real.rng(*names)

    def weights(self, file: WeightFile) -> Path:
        path = self.folder / f"{file.name}.pth"
        if not path.exists():
            net = self.nets[file.name]()
            torch.save(golden_state(net, gain=0.5), path)
        return path

    def onnx(self, model: WeightFile | Path) -> Session:
        return self._real.onnx(model)

    def exported(self, key: str, build: Callable[[], ExportPlan]) -> Session:
        return Eager(build(), self.device) if self.eager else self._real.exported(key, build)


class Eager:
    """A torch module that looks like a session."""

    def __init__(self, plan: ExportPlan, device: str) -> None:
        self._names, self._device = plan.input_names, device
        self._module = plan.module.to(device)

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any], /) -> list[Any]:
        with torch.inference_mode():
            out = self._module(
                *(torch.from_numpy(feeds[name]).to(self._device) for name in self._names)
            )
        return [part.cpu().numpy() for part in ([out] if isinstance(out, torch.Tensor) else out)]


class Told:
    """A detector that does its work, and then says what it is told."""

    window = (0, 0)

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self.batch_size = detector.batch_size

    def open(self) -> None:
        self._detector.open()

    def close(self) -> None:
        self._detector.close()

    def __call__(self, batch: Sequence[Frame], /) -> list[tuple[Detection, ...]]:
        self._detector(batch)
        return [(Detection(box=BOX, score=0.9),) for _ in batch]


def frames(count: int) -> Iterator[Frame]:
    image = picture(*SIZE, seed=1)
    for index in range(count):
        yield Frame(
            index=index, pts=index, time_base=Fraction(1, 25), image=np.roll(image, 3 * index, 1)
        )


def clip(count: int) -> ClipInfo:
    return ClipInfo(uri="x", width=SIZE[0], height=SIZE[1], frames=count, rate=Fraction(25))


def stages(context: RandomContext, *, batch: int) -> tuple[Any, Any]:
    detector = mien_s3fd.create(replace(mien_s3fd.Options(), batch_size=batch), context)
    aligner = mien_fan.create(replace(mien_fan.Options(), batch_size=batch), context)
    return Told(detector), aligner


def serial(context: RandomContext, count: int, folder: Path) -> float:
    """Seconds for the frames, one after the other."""
    detector, aligner = stages(context, batch=1)
    store = StoreStep(folder, "x", clip(count), ExtractOptions())
    for stage in (detector, aligner):
        stage.open()
    began = time.perf_counter()
    for frame in frames(count):
        ((found,),) = detector([frame])
        (marks,) = aligner([FaceQuery(frame=frame, detection=found)])
        face = Face(box=found.box, landmarks=_a_face(marks.points))
        store([Packet(frame=frame, faces=(face,))])
    return time.perf_counter() - began


def pipeline(context: RandomContext, count: int, folder: Path, options: FindOptions) -> float:
    """Seconds for the frames through the program's steps."""
    detector, aligner = stages(context, batch=4)
    for stage in (detector, aligner):  # both programs load their nets before the clock starts
        stage.open()
    steps = find_faces([detector], Points(aligner), options, context.rng)
    steps.append(Step(name="store", stage=StoreStep(folder, "x", clip(count), ExtractOptions())))
    assert isinstance(steps[0].stage, DetectStep)
    began = time.perf_counter()
    run_steps(frames(count), steps, lambda packet: None, index_of=lambda item: 0)
    return time.perf_counter() - began


class Points:
    """An aligner whose random points are replaced by a face, so that a crop can be made."""

    window = (0, 0)

    def __init__(self, aligner: Any) -> None:
        self._aligner = aligner
        self.batch_size = aligner.batch_size

    def open(self) -> None:
        self._aligner.open()

    def close(self) -> None:
        self._aligner.close()

    def __call__(self, batch: Sequence[FaceQuery], /) -> list[Any]:
        return [replace(marks, points=_a_face(marks.points)) for marks in self._aligner(batch)]


def _a_face(points: Any) -> Any:
    from mien.testing import face_at

    assert points.shape == (68, 2)
    return face_at(320, 175, 110).landmarks


def large_nets(runs: int, count: int, device: str) -> None:
    from mien_fan.net import Fan
    from mien_s3fd.net import S3fd

    torch.set_num_threads(torch.get_num_threads())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        nets = {mien_s3fd.FACE_ALIGNMENT.name: S3fd, mien_fan.FAN2D.name: Fan}
        ways: dict[str, Callable[[RandomContext, int, Path], float]] = {
            "serial": serial,
            "all": partial(pipeline, options=FindOptions(detect_every=1)),
            "default": partial(pipeline, options=FindOptions()),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        contexts = {
            name: RandomContext(
                folder=folder,
                nets=nets,
                eager=name == "serial",
                device=device,
                threads=torch.get_num_threads(),
            )
            for name in ways
        }
        for turn in range(runs + 1):
            for name, way in ways.items():
                seconds = way(contexts[name], count, folder / f"{name}{turn}")
                if turn:  # the first turn warms up
                    rates[name].append(count / seconds)
    found = {name: spread(values, 3) for name, values in rates.items()}
    alone = found["serial"]["median"]
    report(
        "extraction, large nets",
        {"size": SIZE, "frames": count, "device": device},
        {
            "frames_per_second": found,
            "over_serial": {name: round(each["median"] / alone, 3) for name, each in found.items()},
        },
    )


def default_nets(path: Path, runs: int, sets: Sequence[str]) -> None:
    registry = Registry.installed()
    settings = [Setting(key="input", value=str(path), origin="the benchmark")]
    for word in sets:
        key, _, value = word.partition("=")
        settings.append(Setting(key=key, value=_value(value), origin=word))
    rates, cpu = [], []
    faces = 0
    for turn in range(runs + 1):
        with tempfile.TemporaryDirectory() as place:
            run = make_run("extract", registry, Config(registry, settings))
            wall, used = time.perf_counter(), time.process_time()
            done = extract(run, faceset=Path(place))
            if turn:
                rates.append(done.frames / (time.perf_counter() - wall))
                cpu.append(1000 * (time.process_time() - used) / done.frames)
                faces = done.faces
    report(
        "extraction, default nets",
        {"clip": path.name, "settings": list(sets)},
        {"frames_per_second": spread(rates, 2), "cpu_ms_per_frame": spread(cpu, 2), "faces": faces},
    )


def _value(text: str) -> Any:
    import tomli

    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.clip is not None:
        default_nets(args.clip, args.runs, args.set)
    else:
        large_nets(args.runs, args.frames, args.device)


if __name__ == "__main__":
    main()
