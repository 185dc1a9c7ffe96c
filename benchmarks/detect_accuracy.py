"""How well the detector and the aligner do on annotated clips; prints JSON.

    python benchmarks/detect_accuracy.py CLIPS --weights FOLDER --step 5 --sheets OUT
    python benchmarks/detect_accuracy.py CLIPS --boxes-only

CLIPS holds clips, each with a NAME.faces.json beside it that tells the true boxes and landmarks.
recall       true faces that a box overlaps by half or more (IoU)
false_1000   boxes in 1000 frames that belong to no true face and lie on no ignored place
nme          mean distance of the 68 points over the distance of the outer eye corners
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import mien_mesh
import mien_retinaface
import numpy as np
from harness import report
from mien.options import describe, parse, plain, read
from mien.runtime import make_context
from mien.stages import AlignerStage, DetectorStage, FaceQuery
from mien.types import Detection, Frame, Landmarks


@dataclass
class Tally:
    """What was counted in a clip."""

    frames: int = 0
    faces: int = 0
    hits: int = 0
    false: int = 0
    nme: list[float] = field(default_factory=list)
    detect_seconds: float = 0.0
    align_seconds: float = 0.0
    aligned: int = 0

    def add(self, other: Tally) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def report(self) -> dict[str, Any]:
        numbers: dict[str, Any] = {
            "frames": self.frames,
            "faces": self.faces,
            "recall": round(self.hits / self.faces, 4) if self.faces else None,
            "false_1000": round(1000 * self.false / max(self.frames, 1), 1),
            "detect_ms_per_frame": round(1000 * self.detect_seconds / max(self.frames, 1), 2),
        }
        if self.nme:
            numbers |= {
                "nme_mean": round(float(np.mean(self.nme)), 4),
                "nme_p95": round(float(np.quantile(self.nme, 0.95)), 4),
                "nme_max": round(float(np.max(self.nme)), 4),
                "align_ms_per_face": round(1000 * self.align_seconds / max(self.aligned, 1), 2),
            }
        return numbers


def read_clip(path: Path, step: int) -> Iterator[Frame]:
    """Every `step`-th frame, upright, 8 bit; ends where the clip can be read no further."""
    with av.open(str(path)) as container:
        decoded = container.decode(container.streams.video[0])
        index = 0
        while True:
            try:
                picture = next(decoded)
            except (StopIteration, av.error.FFmpegError):
                return
            if index % step == 0:
                image = np.rot90(picture.to_ndarray(format="bgr24"), picture.rotation // 90)
                yield Frame(index=index, image=np.ascontiguousarray(image))
            index += 1


def overlap(box: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    inside = max(width, 0) * max(height, 0)
    areas = sum((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))
    return inside / (areas - inside)


def match(
    found: Sequence[Detection], truth: dict[str, Any]
) -> tuple[list[tuple[Detection, dict[str, Any]]], list[Detection]]:
    """(hits with their true faces, false boxes); boxes on an ignored place count as neither."""
    rest, hits = list(found), []
    for face in truth["faces"]:
        best = max(rest, key=lambda one: overlap(one.box, face["box"]), default=None)
        if best is not None and overlap(best.box, face["box"]) >= 0.5:
            hits.append((best, face))
            rest.remove(best)
    return hits, [one for one in rest if all(overlap(one.box, b) < 0.3 for b in truth["ignore"])]


def measure(
    path: Path,
    detector: DetectorStage,
    aligner: AlignerStage | None,
    step: int,
    sheets: Path | None,
) -> Tally:
    truth = json.loads(path.read_text(encoding="utf-8"))
    frames = list(read_clip(path.with_name(truth["clip"]), step))
    tally, tiles = Tally(frames=len(frames)), []
    for start in range(0, len(frames), detector.batch_size):
        batch = frames[start : start + detector.batch_size]
        began = time.perf_counter()
        found = detector(batch)
        tally.detect_seconds += time.perf_counter() - began
        queries, faces = [], []
        for frame, detections in zip(batch, found, strict=True):
            true = truth["frames"][frame.index]
            hits, false = match(detections, true)
            tally.faces += len(true["faces"])
            tally.hits += len(hits)
            tally.false += len(false)
            queries += [FaceQuery(frame=frame, detection=detection) for detection, _ in hits]
            faces += [face for _, face in hits]
            tiles += [(frame, one, None) for one in false]
        began = time.perf_counter()
        marks = list(aligner(queries)) if queries and aligner else []
        tally.align_seconds += time.perf_counter() - began
        tally.aligned += len(marks)
        for query, face, mark in zip(queries, faces, marks, strict=aligner is not None):
            tiles.append((query.frame, query.detection, mark))
            if face["lm_ok"]:
                lm68 = np.asarray(face["lm68"])
                eyes = np.linalg.norm(lm68[36] - lm68[45])
                off = np.linalg.norm(mark.points - lm68, axis=1).mean()
                tally.nme.append(float(off / eyes))
    if sheets is not None and tiles:
        draw_sheet(tiles, sheets / f"{path.name.removesuffix('.faces.json')}.png")
    return tally


def draw_sheet(tiles: list[tuple[Frame, Detection, Landmarks | None]], path: Path) -> None:
    """Up to 24 faces with their box and points; the false ones come first, in red."""
    pictures = []
    tiles = sorted(tiles, key=lambda tile: tile[2] is not None)
    chosen = np.unique(np.linspace(0, len(tiles) - 1, 24).astype(int))
    for frame, found, mark in (tiles[place] for place in chosen):
        x0, y0, x1, y1 = found.box
        side = 1.6 * max(x1 - x0, y1 - y0)
        scale = 240 / side
        corner = ((x0 + x1 - side) / 2, (y0 + y1 - side) / 2)
        matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        tile = cv2.warpAffine(frame.image, matrix, (240, 240))
        low, high = (np.array([[x0, y0], [x1, y1]]) - corner) * scale
        color = (0, 0, 255) if mark is None else (0, 255, 0)
        cv2.rectangle(tile, low.astype(int).tolist(), high.astype(int).tolist(), color, 1)
        for point in (mark.points - corner) * scale if mark is not None else ():
            cv2.circle(tile, np.rint(point).astype(int).tolist(), 1, (0, 255, 255), -1)
        cv2.putText(tile, f"{frame.index}", (4, 14), cv2.FONT_HERSHEY_PLAIN, 1, (255, 255, 255))
        pictures.append(tile)
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % 6)
    rows = [np.hstack(pictures[i : i + 6]) for i in range(0, len(pictures), 6)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def options_of(cls: type, words: Sequence[str], kind: str) -> Any:
    """The options that `KIND.name=value` words set."""
    known = {info.name: info for info in describe(cls)}
    pairs = dict(word.removeprefix(f"{kind}.").split("=", 1) for word in words if kind in word)
    return parse(cls, {key: read(known[key], value) for key, value in pairs.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--weights", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step", type=int, default=1, help="take every n-th frame")
    parser.add_argument("--only", default="", help="clips whose name holds this")
    parser.add_argument("--set", action="append", default=[], metavar="detector.threshold=0.7")
    parser.add_argument("--boxes-only", action="store_true", help="leave the aligner out")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    asked = parser.parse_args()
    context = make_context(threads=asked.threads, weight_folders=asked.weights)
    choices = options_of(mien_retinaface.Options, asked.set, "detector")
    detector = mien_retinaface.create(choices, context)
    aligner_choices = options_of(mien_mesh.Options, asked.set, "aligner")
    aligner = None if asked.boxes_only else mien_mesh.create(aligner_choices, context)
    detector.open()
    if aligner is not None:
        aligner.open()
    total, clips = Tally(), {}
    for path in sorted(asked.clips.glob("*.faces.json")):
        if asked.only not in path.name:
            continue
        tally = measure(path, detector, aligner, asked.step, asked.sheets)
        clips[path.name.removesuffix(".faces.json")] = tally.report()
        total.add(tally)
    report(
        "detect_accuracy",
        {
            "device": context.device,
            "threads": context.threads,
            "step": asked.step,
            "detector": plain(choices),
            "aligner": plain(aligner_choices) if aligner is not None else None,
        },
        {"all": total.report(), "clips": clips},
    )


if __name__ == "__main__":
    main()
