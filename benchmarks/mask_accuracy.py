"""How well a masker finds the face of people whom no recipe learned from; prints JSON.

    python benchmarks/mask_accuracy.py ../shared/data --masker bisenet --sheets OUT
    python benchmarks/mask_accuracy.py ../shared/data --masker landmarks --truth hull
    python benchmarks/mask_accuracy.py ../shared/data --set classes=skin,brows,eyes,lips,mouth \
        --truth hull

DATA holds `faces/` and `clips/`, as training/data.py describes them.
iou            intersection over union of mask and truth, mean over the held-out faces
iou_occluded   the same with one painted thing over each face, which belongs to neither
truth          `oval`: all that the mesh covers, up to the hairline; `hull`: the outline of the 68
               points, up to just above the brows
clips          with `hull`, frames of the held-out clips whose points are trusted, where no hand
               is before the face
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import report
from mien.geometry import crop_to_bgr, hull_mask, make_crop
from mien.options import describe, parse, plain, read
from mien.registry import Registry
from mien.runtime import make_context
from mien.stages import MaskerProvider, MaskerStage
from mien.types import Crop, Face, Frame

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training.data import HELD_OUT_CLIPS, Clip, read_clips, read_frames
from training.masker_labels import CLASSES
from training.masker_samples import read_stock
from training.masker_score import crop_of, hide_part, overlap, score
from training.masker_shapes import as_picture

HANDS = {"sign_woman_hands", "sign_man_hand_on_mouth"}
COLUMNS, TILE = 10, 160


def main() -> None:
    asked = arguments()
    provider = Registry.installed().get(MaskerProvider, asked.masker)
    known = {info.name: info for info in describe(provider.options)}
    given = dict(word.split("=", 1) for word in asked.set)
    values = {name: read(known[name], word) for name, word in given.items()}
    options = parse(provider.options, values)
    context = make_context(
        device=asked.device, threads=asked.threads, weight_folders=asked.weights, offline=True
    )
    stage: MaskerStage = provider.create(options, context)
    stage.open()
    stock = read_stock(asked.data, held_out=True)
    face = [number for number, name in enumerate(CLASSES) if number and wanted(name, asked.truth)]
    results: dict[str, Any] = score(stage, stage.spec, stock, face)
    results["ms_per_face"] = pace(
        stage, [crop_of(each, stage.spec)[0] for each in stock.faces[:40]]
    )
    clips = [clip for clip in read_clips(asked.data / "clips") if clip.name in HELD_OUT_CLIPS]
    if asked.truth == "hull":
        results["clips"] = on_clips(stage, clips, asked.step)
    if asked.sheets:
        write_sheets(stage, clips, stock, asked)
    stage.close()
    config = {"masker": asked.masker, "truth": asked.truth, "options": plain(options)}
    report("mask_accuracy", config | {"threads": asked.threads}, results)


def wanted(name: str, truth: str) -> bool:
    return truth == "oval" or name != "forehead"


def pace(stage: MaskerStage, crops: Sequence[Crop]) -> float:
    """Milliseconds for a face, in batches of the stage's own size, pre- and post-processing too."""
    size = stage.batch_size
    times = []
    for start in range(0, len(crops) - size + 1, size):
        began = time.perf_counter()
        stage(crops[start : start + size])
        times.append((time.perf_counter() - began) / size)
    return round(1000 * float(np.median(times)), 2)


def crops_of(stage: MaskerStage, clip: Clip, step: int) -> Iterator[Crop]:
    for truth, image in read_frames(clip, step):
        for face in truth.faces:
            if face.trusted:
                known = Face(box=face.box, landmarks=face.points68)
                frame = Frame(index=truth.index, image=image)
                yield make_crop(frame, known, stage.spec)


def on_clips(stage: MaskerStage, clips: Sequence[Clip], step: int) -> dict[str, Any]:
    results = {}
    for clip in clips:
        crops = [] if clip.name in HANDS else list(crops_of(stage, clip, step))
        if crops:
            masks = [mask for crop in crops for mask in stage([crop])]
            truths = [hull_mask(crop.landmarks, crop.spec.size) for crop in crops]
            values = [overlap(mask, truth) for mask, truth in zip(masks, truths, strict=True)]
            results[clip.name] = {"faces": len(crops), "iou": round(float(np.mean(values)), 4)}
    return results


def write_sheets(stage: MaskerStage, clips: Sequence[Clip], stock: Any, asked: Any) -> None:
    """Pictures to look at: crops, and what the mask keeps of them."""
    asked.sheets.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        write_sheet(stage, list(crops_of(stage, clip, asked.step))[:40], asked.sheets / clip.name)
    made = [crop_of(each, stage.spec) for each in stock.faces[::6]]
    hidden = [hide_part(*pair, stock, 6 * place)[0] for place, pair in enumerate(made)]
    write_sheet(stage, hidden, asked.sheets / "occluded")


def write_sheet(stage: MaskerStage, crops: Sequence[Crop], path: Path) -> None:
    tiles = []
    for crop in crops:
        (mask,) = stage([crop])
        image = crop_to_bgr(crop.image, crop.spec)
        kept = image * mask + np.float32([0.5, 0, 0.5]) * (1 - mask)
        both = np.vstack([image, kept])
        tiles.append(cv2.resize(both, (TILE, 2 * TILE), interpolation=cv2.INTER_AREA))
    if tiles:
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
        rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
        cv2.imwrite(str(path.with_suffix(".png")), as_picture(255 * np.vstack(rows)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--masker", default="bisenet")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--truth", choices=("oval", "hull"), default="oval")
    parser.add_argument("--step", type=int, default=5, help="every so many frames of the clips")
    parser.add_argument("--weights", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sheets", type=Path, help="folder for pictures to look at")
    return parser.parse_args()


if __name__ == "__main__":
    main()
