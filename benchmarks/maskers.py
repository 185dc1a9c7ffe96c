"""How fast the maskers' nets are through onnxruntime, against the same nets in torch; prints JSON.

    python benchmarks/maskers.py --threads 2

Every net has the same random numbers in both; only time is compared.  `share_of_net` is what making
masks of the net's scores takes; the nets without it give masks.
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
from mien.onnx import NET, export_folder, open_session
from mien.stages import ExportPlan
from mien_mask_bisenet.masks import soft_mask
from mien_mask_bisenet.net import SMALL, BiSeNet, NetConfig, Parser
from mien_mask_unet_dfl.net import NetConfig as UNetConfig
from mien_mask_unet_dfl.net import UNet
from mien_mask_vgg.net import FaceSegmenter
from mien_mask_vgg.stage import CLEAR_NET, OBSTRUCTED_NET
from mien_mask_xseg.net import XSeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A net under test: its name, how it is made, and the shape of one input (C, H, W)."""

    name: str
    make: Callable[[], torch.nn.Module]
    shape: tuple[int, int, int]


def parser_of(config: NetConfig) -> torch.nn.Module:
    return Parser(BiSeNet(config), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


NETS = [
    Net(name="bisenet mien", make=lambda: parser_of(SMALL), shape=(3, 256, 256)),
    Net(name="bisenet resnet18", make=lambda: parser_of(NetConfig()), shape=(3, 512, 512)),
    Net(
        name="bisenet resnet34",
        make=lambda: parser_of(NetConfig(blocks=(3, 4, 6, 3))),
        shape=(3, 512, 512),
    ),
    Net(name="vgg-clear", make=lambda: FaceSegmenter(CLEAR_NET), shape=(3, 300, 300)),
    Net(name="vgg-obstructed", make=lambda: FaceSegmenter(OBSTRUCTED_NET), shape=(3, 500, 500)),
    Net(name="xseg", make=XSeg, shape=(3, 256, 256)),
    Net(name="unet-dfl", make=lambda: UNet(UNetConfig()), shape=(3, 256, 256)),
]


def timed(work: Callable[[], Any], repeats: int) -> list[float]:
    """Milliseconds of each repeat, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return times


def compare(net: Net, folder: Path, threads: int, repeats: int) -> dict[str, Any]:
    """One net in both runtimes, batch 1 and 8."""
    module = net.make().eval()
    plan = ExportPlan(
        module=module,
        inputs=(torch.zeros(2, *net.shape),),
        input_names=("image",),
        output_names=("out",),
        dynamic={"image": {0: "batch"}},
    )
    export_folder(plan, folder / "net", for_cpu=True)
    session = open_session(folder / "net" / NET, threads=threads)
    results: dict[str, Any] = {}
    for batch in (1, 8):
        image = np.random.default_rng(0).random((batch, *net.shape), np.float32)
        tensor = torch.from_numpy(image)
        eager: list[float] = []
        fast: list[float] = []
        for _ in range(3):  # taken in turns, so that a busy machine slows both
            with torch.inference_mode():
                eager += timed(lambda fed=tensor: module(fed), repeats)
            fast += timed(lambda fed=image: session.run(None, {"image": fed}), repeats)
        results[f"batch_{batch}"] = {
            "onnxruntime_ms": spread(fast, 2),
            "torch_ms": spread(eager, 2),
            "times_faster": round(float(np.median(eager) / np.median(fast)), 2),
            "onnxruntime_ms_per_face": round(float(np.median(fast)) / batch, 2),
        }
    (out,) = session.run(None, {"image": image})
    if out.shape[1] > 1:
        chosen = np.arange(out.shape[1]) % 2 == 1
        after = timed(lambda: soft_mask(out, chosen, net.shape[1]), 10 * repeats)
        share = float(np.median(after) / np.median(fast))
        results["after_the_net"] = {"ms": spread(after, 2), "share_of_net": round(share, 4)}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2, help="times three, in turns")
    parser.add_argument("--only", default="", help="nets whose name holds this")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    results = {}
    for net in NETS:
        if asked.only in net.name:
            with tempfile.TemporaryDirectory(prefix="mien-bench-") as folder:
                results[net.name] = compare(net, Path(folder), asked.threads, asked.repeats)
    report("maskers", {"threads": asked.threads, "repeats": asked.repeats}, results)


if __name__ == "__main__":
    main()
