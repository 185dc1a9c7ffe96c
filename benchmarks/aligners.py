"""How fast the aligners' nets are through onnxruntime against eager torch; prints JSON.

    PYTHONPATH=. python benchmarks/aligners.py [--threads 2] [--repeats 5] [--nets compact,fan-1]

Weights are random, which changes no time.  `gain` is torch's time over onnxruntime's, so 1 and more
is no loss; `decode_share` is what turning the net's answer into points takes, of the net's time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import report, spread
from mien.geometry import invert, transform
from mien.onnx import NET, bytes_of, export_folder, open_session
from mien.stages import ExportPlan
from mien.types import Detection
from mien_compact.crops import SIDE, box_matrix
from mien_fan.decode import DECODERS
from mien_fan.files import export_plan
from mien_fan.hrnet import HrNet
from mien_fan.net import Fan

from training.aligner_net import CompactNet

BATCHES = (1, 8)


@dataclass
class Net:
    """A net, how it is exported, the side of its input and what follows it."""

    module: torch.nn.Module
    plan: ExportPlan
    side: int
    decode: Callable[[list[Any]], Any]


def compact() -> Net:
    net = CompactNet().eval()
    plan = ExportPlan(
        module=net,
        inputs=(torch.zeros(2, 3, SIDE, SIDE),),
        input_names=("image",),
        output_names=("points", "spread"),
        dynamic={"image": {0: "batch"}},
    )
    back = invert(box_matrix(Detection(box=(100, 100, 300, 350), score=1)))

    def decode(outputs: list[Any]) -> Any:
        return [transform(back, each * SIDE - np.float32(0.5)) for each in outputs[0]]

    return Net(net, plan, SIDE, decode)


def heat_maps(net: Fan | HrNet) -> Net:
    return Net(net.eval(), export_plan(net), 256, lambda outputs: DECODERS["dark"](outputs[0]))


NETS: dict[str, Callable[[], Net]] = {
    "compact": compact,
    "fan-1": lambda: heat_maps(Fan(1)),
    "fan-2": lambda: heat_maps(Fan(2)),
    "fan-3": lambda: heat_maps(Fan(3)),
    "fan-4": lambda: heat_maps(Fan(4)),
    "faceswap-hrnet": lambda: heat_maps(HrNet()),
}


def times(work: Callable[[], Any], repeats: int) -> list[float]:
    work()
    seen = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seen.append(time.perf_counter() - began)
    return seen


def measure(net: Net, threads: int, repeats: int) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        export_folder(net.plan, Path(folder) / "net", for_cpu=True)
        path = Path(folder) / "net" / NET
        results["megabytes"] = round(bytes_of(path) / 1e6, 2)
        session = open_session(path, threads=threads)
        for count in BATCHES:
            images = np.random.default_rng(0).random((count, 3, net.side, net.side), np.float32)
            tensor = torch.from_numpy(images)
            eager: list[float] = []
            opened: list[float] = []
            decoding: list[float] = []
            for _ in range(3):  # taken in turns, so that a busy machine slows both
                with torch.inference_mode():
                    eager += times(lambda x=tensor: net.module(x), repeats)
                opened += times(lambda x=images: session.run(None, {"image": x}), repeats)
            outputs = session.run(None, {"image": images})
            decoding += times(lambda y=outputs: net.decode(y), 3 * repeats)
            results[f"batch_{count}"] = {
                "onnxruntime_ms_per_face": spread([1000 * s / count for s in opened], 2),
                "torch_ms_per_face": spread([1000 * s / count for s in eager], 2),
                "gain": round(float(np.median(eager) / np.median(opened)), 2),
                "decode_share": round(float(np.median(decoding) / np.median(opened)), 4),
            }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--nets", default=",".join(NETS))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    results = {
        name: measure(NETS[name](), asked.threads, asked.repeats) for name in asked.nets.split(",")
    }
    report("aligners", {"threads": asked.threads, "repeats": asked.repeats}, results)


if __name__ == "__main__":
    main()
