"""Peak memory of `mien swap` on a clip, and on the same clip ten times as long.

Needs the detector's and the aligner's weights (MIEN_WEIGHTS) and a trained model.

    python benchmarks/memory.py CLIP MODEL [--times 10] [--repeats 2] > memory.json
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from harness import report, run_child, spread
from mien.media.base import OutputOptions, OutputPlan
from mien.media.plugin import open_source, open_writer
from mien.types import replace


def looped(clip: Path, times: int, out: Path) -> Path:
    """The clip's frames over and over, re-encoded once, without sound."""
    source = open_source(clip)
    writer = open_writer(out, OutputPlan(target=source.info, options=OutputOptions()))
    shift = number = 0
    for _ in range(times):
        last = 0
        for frame in source.frames():
            writer.write(replace(frame, pts=frame.pts + shift, index=number))
            number += 1
            last = frame.pts + (frame.duration or 1)
        shift += last
    source.close()
    return writer.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    peaks: dict[int, list[float]] = {1: [], args.times: []}
    walls: dict[int, list[float]] = {1: [], args.times: []}
    with tempfile.TemporaryDirectory() as folder:
        clips = {n: looped(args.clip, n, Path(folder) / f"{n}.mp4") for n in peaks}
        for number in range(args.repeats):
            for times, clip in clips.items():
                out = Path(folder) / f"out-{number}-{times}.mp4"
                words = ("-m", "mien", "swap", clip, "-m", args.model, "-o", out)
                measured = run_child(*words)
                peaks[times].append(measured["peak_mb"])
                walls[times].append(measured["wall"])
    report(
        "memory",
        {"clip": args.clip.name, "times": args.times, "repeats": args.repeats},
        {
            "peak MB, once": spread(peaks[1], 1),
            f"peak MB, {args.times} times": spread(peaks[args.times], 1),
            "ratio": spread(
                [long / once for once, long in zip(peaks[1], peaks[args.times], strict=True)]
            ),
            "seconds, once": spread(walls[1], 1),
            f"seconds, {args.times} times": spread(walls[args.times], 1),
        },
    )


if __name__ == "__main__":
    main()
