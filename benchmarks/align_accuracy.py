"""How exact and how steady an aligner is on people it never saw; prints JSON.

    PYTHONPATH=. python benchmarks/align_accuracy.py ../shared/data [--aligner compact]
        [--set flip=true] [--weights FOLDER] [--sheets OUT]

Boxes and five points are those of the labels, so the detector has no part in it.  All errors are
mean distances of the points in per cent of the distance of the outer eye corners.
faces      held-out persons against the teacher, by origin and by the teacher's yaw; `loose` with
           boxes moved and scaled by up to a tenth, `five_less` without the five points
human      against points drawn by hand
side       faces seen from the side, where the teacher itself is at a loss: against what can be seen
           of eyes, nose and mouth, placed by eye (training/side_points.json), in per cent of the
           longer side of the box
turned     held-out heads turned by a known angle (their mesh drawn again).  `by_eyes` divides by
           the distance of the eye corners as it is seen, which halves at 60 degrees, `by_size` by
           that of the same head from the front
clips      held-out clips against the teacher; `offset` is what stays of the error when it is
           averaged over a clip before its length is taken
still      how far points move on one portrait under noise and moves by a pixel: standard
           deviation, for the aligner
trembling  mean second difference of the points along the clips, for the aligner and in the labels
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import report
from mien.arrays import Image
from mien.options import describe, parse, plain, read
from mien.registry import Registry
from mien.runtime import make_context
from mien.stages import AlignerProvider, AlignerStage, FaceQuery
from mien.types import Detection, Frame

from training.aligner_heads import HeadTurner, turned_points
from training.aligner_samples import disagreement
from training.data import (
    FaceLabel,
    Picture,
    held_out_clips,
    human_points68,
    is_held_out,
    read_clips,
    read_frames,
    read_image,
    read_pictures,
)

BANDS = (0, 20, 33, 45, 60, 90)
ANGLES = (0, 20, 33, 45, 52, 60, 67, 75)
SIDE_POINTS = Path(__file__).resolve().parents[1] / "training" / "side_points.json"
STILL_LOOKS = 8


@dataclass
class Face:
    """A picture, where a face is in it, and its points."""

    image: Image
    found: Detection
    points: np.ndarray


def eyes_of(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36] - points[45]))


def error_of(points: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(points - truth, axis=1).mean())


def detection(face: FaceLabel) -> Detection:
    return Detection(box=face.box, score=1.0, points5=face.points5.copy())


def align(stage: AlignerStage, faces: Sequence[Face]) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for start in range(0, len(faces), stage.batch_size):
        part = faces[start : start + stage.batch_size]
        queries = [
            FaceQuery(frame=Frame(index=0, image=each.image), detection=each.found) for each in part
        ]
        found += [np.asarray(marks.points) for marks in stage(queries)]
    return found


def errors(stage: AlignerStage, faces: Sequence[Face]) -> np.ndarray:
    pairs = zip(align(stage, faces), faces, strict=True)
    return np.array(
        [error_of(points, face.points) / eyes_of(face.points) for points, face in pairs]
    )


def told(values: Any) -> dict[str, Any]:
    values = np.asarray(values)
    if not len(values):
        return {"count": 0}
    return {
        "count": len(values),
        "mean": round(100 * float(values.mean()), 2),
        "median": round(100 * float(np.median(values)), 2),
        "p95": round(100 * float(np.quantile(values, 0.95)), 2),
    }


def face_of(picture: Picture) -> Face:
    label = picture.faces[0]
    return Face(read_image(picture), detection(label), label.points68)


def loosened(face: Face, rng: np.random.Generator) -> Face:
    x0, y0, x1, y1 = face.found.box
    width, height = x1 - x0, y1 - y0
    dx, dy = rng.uniform(-0.1, 0.1, 2) * (width, height)
    grow = 1 + rng.uniform(-0.1, 0.1)
    cx, cy = (x0 + x1) / 2 + dx, (y0 + y1) / 2 + dy
    half = np.array([width, height]) * grow / 2
    box = (cx - half[0], cy - half[1], cx + half[0], cy + half[1])
    return Face(face.image, Detection(box=box, score=1, points5=face.found.points5), face.points)


def without_five(face: Face) -> Face:
    return Face(face.image, Detection(box=face.found.box, score=1), face.points)


def on_faces(stage: AlignerStage, pictures: Sequence[Picture]) -> dict[str, Any]:
    sure = [each for each in pictures if each.faces[0].trusted]
    faces = [face_of(each) for each in sure]
    found = errors(stage, faces)
    by_origin = defaultdict(list)
    for picture, error in zip(sure, found, strict=True):
        by_origin[picture.origin].append(error)
    rng = np.random.default_rng(1)
    usable = [each for each in pictures if each.faces[0].trusted or is_agreed(each)]
    yaws = np.abs([each.faces[0].yaw for each in usable])
    all_errors = errors(stage, [face_of(each) for each in usable])
    return {
        "all": told(found),
        "by_origin": {name: told(each) for name, each in sorted(by_origin.items())},
        "by_yaw": {
            f"{low}-{high}": told(all_errors[(yaws >= low) & (yaws < high)])
            for low, high in itertools.pairwise(BANDS)
        },
        "loose": told(errors(stage, [loosened(each, rng) for each in faces])),
        "five_less": told(errors(stage, [without_five(each) for each in faces])),
    }


def is_agreed(picture: Picture) -> bool:
    """A wide face whose mesh agrees with the five points of two other nets."""
    face = picture.faces[0]
    return abs(face.yaw) >= 33 and disagreement(face) < 0.08


def on_drawn_points(stage: AlignerStage, pictures: Sequence[Picture]) -> dict[str, Any]:
    drawn = [each for each in pictures if each.human189 is not None]
    faces = [face_of(each) for each in drawn]
    mine, teacher = [], []
    for picture, face, points in zip(drawn, faces, align(stage, faces), strict=True):
        index, human = human_points68(picture)
        eyes = eyes_of(face.points)
        mine.append(error_of(points[index], human) / eyes)
        teacher.append(error_of(face.points[index], human) / eyes)
    return {"aligner": told(mine), "teacher": told(teacher)}


def on_sides(stage: AlignerStage, data: Path, pictures: Sequence[Picture]) -> dict[str, Any]:
    drawn = json.loads(SIDE_POINTS.read_text(encoding="utf-8"))
    seen = {f"faces/{each.name}": face_of(each) for each in pictures}
    for clip in held_out_clips(read_clips(data / "clips")):
        if any(name.startswith(f"clips/{clip.name}#") for name in drawn):
            for truth, image in read_frames(clip):
                for label in truth.faces:
                    face = Face(image, detection(label), label.points68)
                    seen[f"clips/{clip.name}#{truth.index}"] = face
    faces = [seen[name] for name in drawn]
    mine, teacher, count = [], [], 0
    for marks, face, points in zip(drawn.values(), faces, align(stage, faces), strict=True):
        index, human = list(map(int, marks)), np.array(list(marks.values()))
        x0, y0, x1, y1 = face.found.box
        side = max(x1 - x0, y1 - y0)
        mine.append(error_of(points[index], human) / side)
        teacher.append(error_of(face.points[index], human) / side)
        count += len(index)
    return {"points": count, "aligner": told(mine), "teacher": told(teacher)}


def on_turned_heads(
    stage: AlignerStage, pictures: Sequence[Picture], turner: HeadTurner
) -> dict[str, Any]:
    frontal = [each for each in pictures if abs(each.faces[0].yaw) < 8 and each.faces[0].trusted]
    results = {}
    wide: list[tuple[float, float]] = []
    for angle in ANGLES:
        faces, own = [], []
        for number, picture in enumerate(frontal[::2]):
            if picture.mesh is None:
                continue
            image = read_image(picture)
            way = (1 if number % 2 else -1) * angle - picture.faces[0].yaw
            before, after = turner.turn(image, picture.mesh, way, 0.0)
            points = turned_points(after)
            side = max(image.shape[:2])
            drawn = turner.draw(image, before, after, np.eye(2, 3), side)
            faces.append(Face(drawn, drawn_detection(points), points))
            own.append(eyes_of(picture.faces[0].points68))
        found = [
            error_of(points, face.points)
            for points, face in zip(align(stage, faces), faces, strict=True)
        ]
        by_eyes = [error / eyes_of(face.points) for error, face in zip(found, faces, strict=True)]
        by_size = [error / eyes for error, eyes in zip(found, own, strict=True)]
        results[str(angle)] = {"by_eyes": told(by_eyes), "by_size": told(by_size)}
        if angle >= 45:
            wide += zip(by_eyes, by_size, strict=True)
    by_eyes, by_size = map(list, zip(*wide, strict=True))
    results["45-75"] = {"by_eyes": told(by_eyes), "by_size": told(by_size)}
    return results


def drawn_detection(points: np.ndarray) -> Detection:
    """A box from the forehead to the chin and five points, as a detector would give them."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    five = [points[36:42].mean(axis=0), points[42:48].mean(axis=0), *points[[30, 48, 54]]]
    box = (float(x0), float(y0 - 0.2 * (y1 - y0)), float(x1), float(y1))
    return Detection(box=box, score=1, points5=np.array(five, np.float32))


def on_clips(stage: AlignerStage, data: Path, sheets: Path | None) -> dict[str, Any]:
    results: dict[str, Any] = {}
    rows: list[np.ndarray] = []
    for clip in held_out_clips(read_clips(data / "clips")):
        faces, sure, tracks = [], [], defaultdict(list)
        for truth, image in read_frames(clip):
            for label in truth.faces:
                tracks[label.track].append((truth.index, len(faces)))
                faces.append(Face(image, detection(label), label.points68))
                sure.append(label.trusted)
        if not any(sure):
            continue
        points = align(stage, faces)
        away = np.array(
            [
                (one - face.points) / eyes_of(face.points)
                for one, face, trusted in zip(points, faces, sure, strict=True)
                if trusted
            ]
        )
        results[clip.name] = {
            "error": told(np.linalg.norm(away, axis=2).mean(axis=1)),
            "offset": round(100 * float(np.linalg.norm(away.mean(axis=0), axis=1).mean()), 2),
            "trembling": tremble(points, faces, tracks),
            "trembling_of_labels": tremble([face.points for face in faces], faces, tracks),
        }
        if sheets:
            step = max(len(faces) // 8, 1)
            rows.append(
                np.hstack([tile(faces[k], points[k]) for k in range(0, 8 * step, step)][:8])
            )
    if sheets and rows:
        sheets.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(sheets / "clips.png"), np.vstack(rows))
    means = [each["error"]["mean"] for each in results.values() if each["error"]["count"]]
    results["mean_of_clips"] = round(float(np.mean(means)), 2)
    return results


def tremble(
    points: Sequence[np.ndarray],
    faces: Sequence[Face],
    tracks: dict[int, list[tuple[int, int]]],
) -> float | None:
    """Mean second difference along tracks, per cent of the eye distance."""
    found = []
    for track in tracks.values():
        for (f0, a), (_, b), (f2, c) in zip(track, track[1:], track[2:], strict=False):
            if f2 - f0 == 2:
                bend = points[a] - 2 * points[b] + points[c]
                found.append(np.linalg.norm(bend, axis=1).mean() / eyes_of(faces[b].points))
    return round(100 * float(np.mean(found)), 3) if found else None


def on_still_faces(stage: AlignerStage, pictures: Sequence[Picture]) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    chosen = [each for each in pictures if each.faces[0].trusted][::4]
    faces, moves = [], []
    for picture in chosen:
        face = face_of(picture)
        for _ in range(STILL_LOOKS):
            dx, dy = rng.integers(-1, 2, 2).tolist()
            moved = np.roll(face.image, (dy, dx), axis=(0, 1)).astype(np.float32)
            noisy = np.clip(moved + rng.normal(0, 2, moved.shape), 0, 255).astype(np.uint8)
            x0, y0, x1, y1 = np.add(face.found.box, (dx, dy, dx, dy)) + rng.normal(0, 0.7, 4)
            five = rng.normal(0, 0.5, (5, 2)) + face.found.points5
            five += (dx, dy)
            found = Detection(box=(x0, y0, x1, y1), score=1, points5=five.astype(np.float32))
            faces.append(Face(noisy, found, face.points))
            moves.append((dx, dy))
    points = np.array(align(stage, faces)) - np.array(moves)[:, None]
    points = points.reshape(len(chosen), STILL_LOOKS, 68, 2)
    eyes = np.array([eyes_of(each.faces[0].points68) for each in chosen])
    deviation = np.sqrt(points.var(axis=1).sum(axis=-1)).mean(axis=1)
    return told(deviation / eyes)


def tile(face: Face, points: np.ndarray) -> np.ndarray:
    """A face with the aligner's points in green and the labels' in red."""
    x0, y0, x1, y1 = face.found.box
    reach = 0.75 * max(x1 - x0, y1 - y0)
    scale = 110 / reach
    matrix = np.array(
        [[scale, 0, 110 - scale * (x0 + x1) / 2], [0, scale, 110 - scale * (y0 + y1) / 2]]
    )
    seen = cv2.warpAffine(face.image, matrix, (220, 220))
    for marks, colour in ((face.points, (0, 0, 255)), (points, (0, 255, 0))):
        for x, y in marks @ matrix[:, :2].T + matrix[:, 2]:
            cv2.circle(seen, (round(float(x)), round(float(y))), 1, colour, -1)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--aligner", default="compact")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--weights", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheets", type=Path)
    asked = parser.parse_args()
    provider = Registry.installed().get(AlignerProvider, asked.aligner)
    infos = {info.name: info for info in describe(provider.options)}
    values = dict(each.split("=", 1) for each in asked.set)
    options = parse(provider.options, {key: read(infos[key], word) for key, word in values.items()})
    context = make_context(device="cpu", threads=asked.threads, weight_folders=asked.weights)
    stage = provider.create(options, context)
    stage.open()

    pictures = [each for each in read_pictures(asked.data / "faces") if each.faces]
    judges = [each for each in pictures if is_held_out(each)]
    meshes = [
        each.mesh
        for each in pictures
        if each.mesh is not None and each.faces[0].trusted and abs(each.faces[0].yaw) < 4
    ]
    results = {
        "faces": on_faces(stage, judges),
        "human": on_drawn_points(stage, judges),
        "side": on_sides(stage, asked.data, pictures),
        "turned": on_turned_heads(stage, judges, HeadTurner(np.stack(meshes))),
        "still": on_still_faces(stage, judges),
        "clips": on_clips(stage, asked.data, asked.sheets),
    }
    stage.close()
    report("align_accuracy", {"aligner": asked.aligner, **plain(options)}, results)


if __name__ == "__main__":
    main()
