"""How fast the detectors' nets are, and what their post-processing adds; prints JSON.

    python benchmarks/detectors.py --threads 2 --size 640x360

Every net has the same numbers in torch and in onnxruntime; only time is compared, so the nets
without shipped weights have random ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mien_retinaface
import mien_s3fd
import numpy as np
import torch
from harness import report, spread
from mien.geometry.boxes import suppress
from mien.onnx import NET, export_folder, open_session
from mien.stages import ExportPlan
from mien_retinaface import files as retinaface_files
from mien_retinaface.decode import decode_boxes, decode_points, make_priors
from mien_retinaface.variants import VARIANTS
from mien_s3fd import decode as s3fd
from mien_s3fd import files as s3fd_files
from mien_s3fd.net import S3fd

# Faces in a frame whose post-processing is timed, each as a dozen overlapping candidates.
FACES, RIVALS = 10, 12


def plans() -> dict[str, Callable[[], ExportPlan]]:
    """The nets by name, made only when their turn comes."""

    def retinaface(name: str) -> ExportPlan:
        return retinaface_files.export_plan(retinaface_files.build_net(VARIANTS[name]).eval())

    return {
        "retinaface": lambda: retinaface("mien"),
        "retinaface_resnet50": lambda: retinaface("resnet50"),
        "s3fd": lambda: s3fd_files.export_plan(S3fd().eval()),
    }


def timed(work: Callable[[], Any], repeats: int) -> list[float]:
    """Milliseconds of each repeat, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return times


def compare(plan: ExportPlan, folder: Path, size: tuple[int, int], asked: Any) -> dict[str, Any]:
    """One net in both runtimes, batch 1 and 8, taking turns."""
    export_folder(plan, folder / "net", for_cpu=True)
    session = open_session(folder / "net" / NET, threads=asked.threads)
    results: dict[str, Any] = {}
    for batch in (1, 8):
        image = np.random.default_rng(0).normal(0, 60, (batch, 3, *size)).astype(np.float32)
        tensor = torch.from_numpy(image)
        eager: list[float] = []
        fast: list[float] = []
        for _ in range(3):  # taken in turns, so that a busy machine slows both
            with torch.inference_mode():
                eager += timed(lambda fed=tensor: plan.module(fed), asked.repeats)
            fast += timed(lambda fed=image: session.run(None, {"image": fed}), asked.repeats)
        results[f"batch_{batch}"] = {
            "onnxruntime_ms": spread(fast, 2),
            "torch_ms": spread(eager, 2),
            "times_faster": round(float(np.median(eager) / np.median(fast)), 2),
            "onnxruntime_ms_per_picture": round(float(np.median(fast)) / batch, 2),
        }
    one = results["batch_8"]["onnxruntime_ms_per_picture"]
    results["after_the_net"] = after(plan, size, asked.repeats, one)
    return results


def after(plan: ExportPlan, size: tuple[int, int], repeats: int, net_ms: float) -> dict[str, Any]:
    """Threshold, decoding and suppression of a frame with ten faces, as a share of the net."""
    height, width = size
    rng = np.random.default_rng(1)
    points: Any = None
    if isinstance(plan.module, S3fd):
        priors = s3fd.make_priors(s3fd.map_shapes(height, width))
    else:
        priors = make_priors(height, width, VARIANTS["mien"].min_sizes)
        points = rng.normal(0, 1, (len(priors), 10)).astype(np.float32)
    # An anchor's side: a number in pixels, or a width and a height as parts of the picture.
    sides = np.broadcast_to(priors[:, 2:], (len(priors), 2))
    offsets = np.zeros((len(priors), 4), np.float32)
    scores = np.full(len(priors), 0.01, np.float32)
    for start in rng.choice(len(priors) - RIVALS, FACES, replace=False):
        rivals = slice(start, start + RIVALS)
        # All of them mean the box of the first, give or take a little.
        offsets[rivals, :2] = (priors[start, :2] - priors[rivals, :2]) / (0.1 * sides[rivals])
        offsets[rivals, 2:] = np.log(sides[start] / sides[rivals]) / 0.2
        offsets[rivals] += rng.normal(0, 0.2, (RIVALS, 4))
        scores[rivals] = rng.uniform(0.7, 1, RIVALS)

    def work() -> list[int]:
        which = np.flatnonzero(scores >= 0.5)
        if points is None:
            boxes = s3fd.decode_boxes(offsets[which], priors[which])
        else:
            boxes = decode_boxes(offsets[which], priors[which])
            decode_points(points[which], priors[which])
        return suppress(boxes, scores[which], 0.4)

    times = timed(work, 20 * repeats)
    return {"ms": spread(times, 3), "share_of_net": round(float(np.median(times)) / net_ms, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2, help="times three, in turns")
    parser.add_argument("--size", default="640x360", help="of the fed picture, width x height")
    parser.add_argument("--only", default="", help="nets whose name holds this")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    width, height = map(int, asked.size.split("x"))
    results = {}
    for name, make in plans().items():
        if asked.only in name:
            with tempfile.TemporaryDirectory() as folder:
                results[name] = compare(make(), Path(folder), (height, width), asked)
    defaults = {"retinaface": mien_retinaface.Options().size, "s3fd": mien_s3fd.Options().size}
    report(
        "detectors",
        {"threads": asked.threads, "picture": asked.size, "default_sizes": defaults},
        results,
    )


if __name__ == "__main__":
    main()
