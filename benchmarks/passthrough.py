"""Decode and encode again a 1080p clip: through the runner, and in a bare PyAV loop.

Both decode to BGR arrays and encode with the same codec settings.  A third variant is a bare loop
that never makes an array; no program that looks at pixels can be it.

    python benchmarks/passthrough.py [--frames 100] [--repeats 5] [--clip CLIP] > passthrough.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from harness import report, spread
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.plugin import open_source, open_writer
from mien.runner import Step, run
from mien.stages import StageBase
from mien.types import Frame, Packet

WIDTH, HEIGHT = 1920, 1080


class ToPacket(StageBase):
    batch_size = 4

    def __call__(self, batch, /):
        return [Packet(frame=frame) for frame in batch]


def make_clip(path: Path, frames: int) -> Path:
    """Noise in coarse and fine grain that moves: neither trivial nor incompressible."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.random((27, 48, 3), dtype=np.float32), (WIDTH, HEIGHT))
    info = ClipInfo(uri=str(path), width=WIDTH, height=HEIGHT, frames=frames)
    writer = open_writer(path, OutputPlan(target=info, options=OutputOptions()))
    for number in range(frames):
        moved = np.roll(coarse, number * 3, axis=1)
        grain = rng.normal(0, 0.02, (HEIGHT, WIDTH, 1)).astype(np.float32)
        image = np.clip((moved + grain) * 255, 0, 255).astype(np.uint8)
        writer.write(
            Frame(index=number, pts=number, time_base=Fraction(1, 25), duration=1, image=image)
        )
    return writer.finish()


def through_the_runner(clip: Path, out: Path) -> None:
    source = open_source(clip)
    writer = open_writer(out, OutputPlan(target=source.info, options=OutputOptions()))
    run(
        source.frames(),
        [Step(name="packet", stage=ToPacket())],
        lambda packet: writer.write(packet.frame),
        index_of=lambda item: getattr(item, "frame", item).index,
        size_of=lambda item: item.nbytes,
    )
    writer.finish()
    source.close()


def bare(clip: Path, out: Path, *, arrays: bool) -> None:
    with av.open(str(clip)) as source, av.open(str(out), "w") as sink:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        target = sink.add_stream("libx264", rate=stream.average_rate)
        target.width, target.height, target.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        target.time_base = stream.time_base
        target.codec_context.time_base = stream.time_base
        target.options = {"crf": "16", "preset": "veryfast"}
        target.thread_type = "AUTO"
        for frame in source.decode(stream):
            written = frame
            if arrays:
                written = av.VideoFrame.from_ndarray(frame.to_ndarray(format="bgr24"), "bgr24")
                written.pts, written.time_base = frame.pts, frame.time_base
            else:
                written.pict_type = 0
            sink.mux(target.encode(written))
        sink.mux(target.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clip", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip or make_clip(Path(folder) / "clip.mp4", args.frames)
        variants: dict[str, Callable[[Path, Path], None]] = {
            "runner": through_the_runner,
            "bare loop with arrays": lambda clip, out: bare(clip, out, arrays=True),
            "bare loop without arrays": lambda clip, out: bare(clip, out, arrays=False),
        }
        times: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(args.repeats):
            for name, variant in variants.items():
                began = time.perf_counter()
                variant(clip, Path(folder) / f"{number}-{name.replace(' ', '-')}.mp4")
                times[name].append(time.perf_counter() - began)
    ratios = {
        f"runner over {name}": spread(
            [mine / theirs for mine, theirs in zip(times["runner"], times[name], strict=True)]
        )
        for name in list(variants)[1:]
    }
    report(
        "passthrough",
        {"repeats": args.repeats, "frames": args.frames, "size": [WIDTH, HEIGHT]},
        {**{f"{name}, seconds": spread(values) for name, values in times.items()}, **ratios},
    )


if __name__ == "__main__":
    main()
