"""What the recipes learn from: faces in pictures, frames of clips, and who is held out.

The folder given to every recipe with `--data` holds `faces/` (faces.json, mesh478.npz, pictures)
and `clips/` (videos, each with NAME.faces.json).  All coordinates are pixels of the picture, with
(0, 0) at the centre of the top-left pixel; arrays are float32 and read-only by agreement.

    pictures = read_pictures(data / "faces")
    learn = [each for each in pictures if not is_held_out(each)]
    for clip in learning_clips(read_clips(data / "clips")):
        for truth, image in read_frames(clip, step=5): ...

The split is by person, never by picture: what is held out shows nobody that was learned from.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mien.arrays import Image
from mien.media.plugin import open_source
from numpy.typing import NDArray

Array = NDArray[np.float32]

HELD_OUT_PERCENT = 12
# With this number every origin gives 10 to 13 % of its people; with others one may give 5 %.
_SPLIT = 101
HELD_OUT_CLIPS = frozenset(
    {
        "grid_man3",
        "grid_woman2_curly",
        "noface_nasa_multistream",
        "noface_ship_8fps",
        "sign_man_hand_on_mouth",
        "sign_woman_hands",
        "synthetic_woman_fur_hood",
        "three_people_walk_up",
        "woman_profile_turn",
    }
)
# Its shots show people of both sides, so it serves neither.
MIXED_CLIPS = frozenset({"tech_scene_cuts"})
# Points drawn by hand that mean the same as one of the 68: index of 68 -> index of 189.
HUMAN_POINTS = {
    **{8: 129, 33: 55, 36: 18, 37: 19, 38: 9, 39: 22, 42: 23, 43: 11, 44: 26, 45: 27},
    **{48: 87, 50: 89, 51: 90, 52: 91, 54: 93, 55: 108, 56: 107, 57: 106, 58: 105, 62: 96, 66: 101},
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceLabel:
    """One labelled face.

    box       x0, y0, x1, y1
    points5   (5, 2) eyes, nose tip, mouth corners, image-left first
    points68  (68, 2) iBUG order, of the teacher; use it where `trusted`
    yaw       degrees, too small beyond 40;  track  the same person through a shot, 0 in pictures
    """

    box: tuple[float, float, float, float]
    points5: Array
    points68: Array
    trusted: bool
    yaw: float
    track: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A picture with its faces, the main one first; none in the pictures of other things.

    person    who the main face is; empty without a face
    ignore    boxes in which neither a hit nor a miss may count
    human189  (189, 2) points of the main face drawn by hand, or None
    mesh      (478, 3) teacher mesh of the main face (x, y in pixels, z to the same scale), or None
    """

    name: str
    path: Path
    width: int
    height: int
    origin: str
    person: str
    faces: tuple[FaceLabel, ...]
    ignore: tuple[tuple[float, float, float, float], ...]
    human189: Array | None = None
    mesh: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameTruth:
    """What is to be seen in one frame of a clip."""

    index: int
    faces: tuple[FaceLabel, ...]
    ignore: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A labelled clip; sizes are those of the upright picture."""

    name: str
    path: Path
    width: int
    height: int
    shot_starts: tuple[int, ...]
    frames: tuple[FrameTruth, ...]


def is_held_out(picture: Picture) -> bool:
    """Whether a picture is kept for the evaluation; the same in every recipe and every run.

    By person; pictures without faces by their own name.
    """
    name = f"{_SPLIT}:{picture.person or picture.name}"
    return zlib.crc32(name.encode()) % 100 < HELD_OUT_PERCENT


def read_pictures(folder: Path) -> list[Picture]:
    """All pictures of `folder`, in the order of faces.json.

    Raises FileNotFoundError where the folder is not the face set.
    """
    listed = json.loads((folder / "faces.json").read_text(encoding="utf-8"))["images"]
    with np.load(folder / "mesh478.npz", allow_pickle=False) as stored:
        names = stored["names"].tolist()
        meshes = dict(zip(names, stored["xyz"].astype(np.float32), strict=True))
    return [
        Picture(
            name=each["file"],
            path=folder / each["file"],
            width=each["w"],
            height=each["h"],
            origin=each["origin"],
            person=each["person"] or "",
            faces=tuple(map(_face, each["faces"])),
            ignore=tuple(map(_box, each["ignore"])),
            human189=np.array(each["human189"], np.float32) if "human189" in each else None,
            mesh=meshes.get(each["file"]),
        )
        for each in listed
    ]


def read_clips(folder: Path) -> list[Clip]:
    """The labelled clips of `folder`, by name.  Their pictures are read by `read_frames`."""
    return [_clip(path) for path in sorted(folder.glob("*.faces.json"))]


def learning_clips(clips: list[Clip]) -> list[Clip]:
    """Those whose people may be learned from."""
    return [each for each in clips if each.name not in HELD_OUT_CLIPS | MIXED_CLIPS]


def held_out_clips(clips: list[Clip]) -> list[Clip]:
    """Those that show nobody of the learning clips."""
    return [each for each in clips if each.name in HELD_OUT_CLIPS]


def read_image(picture: Picture) -> Image:
    """(H, W, 3) uint8 BGR.  Raises FileNotFoundError where the file is not a picture."""
    image = cv2.imread(str(picture.path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{picture.path}: no picture can be read here")
    return image


def read_frames(clip: Clip, step: int = 1) -> Iterator[tuple[FrameTruth, Image]]:
    """Every `step`-th frame with its truth, as (H, W, 3) uint8 BGR, upright.

    Ends where the clip's pictures or its truth end, whichever comes first.
    """
    truth = {each.index: each for each in clip.frames}
    for frame in open_source(clip.path).frames(step=step):
        if frame.index in truth:
            yield truth[frame.index], _as_uint8(frame.image)


def human_points68(picture: Picture) -> tuple[NDArray[np.int64], Array]:
    """(indices of the 68, (n, 2) points drawn by hand) of a picture; both empty without any."""
    if picture.human189 is None:
        return np.zeros(0, np.int64), np.zeros((0, 2), np.float32)
    return np.array(list(HUMAN_POINTS)), picture.human189[list(HUMAN_POINTS.values())]


def _clip(truth: Path) -> Clip:
    told = json.loads(truth.read_text(encoding="utf-8"))
    return Clip(
        name=Path(told["clip"]).stem,
        path=truth.parent / told["clip"],
        width=told["width"],
        height=told["height"],
        shot_starts=tuple(told["shot_starts"]),
        frames=tuple(
            FrameTruth(
                index=each["i"],
                faces=tuple(map(_face, each["faces"])),
                ignore=tuple(map(_box, each["ignore"])),
            )
            for each in told["frames"]
        ),
    )


def _face(told: dict[str, Any]) -> FaceLabel:
    return FaceLabel(
        box=_box(told["box"]),
        points5=np.array(told["kps5"], np.float32).reshape(-1, 2),
        points68=np.array(told["lm68"], np.float32).reshape(-1, 2),
        trusted=bool(told["lm_ok"]),
        yaw=float(told["yaw"] or 0.0),
        track=int(told.get("id", 0)),
    )


def _box(told: list[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = told
    return x0, y0, x1, y1


def _as_uint8(image: Image) -> Image:
    if image.dtype == np.uint16:
        return (image // 257).astype(np.uint8)
    return image
