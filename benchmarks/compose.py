"""How long it takes to put one face into a frame, on one core.

Compares the program's way, inside the face's box, with the plain one that warps and mixes whole
frames in float.  Both do: mask, colour transfer, warp into the frame, mix, round.  The installed
blends are timed by themselves, on the same face, and so is each control; and DeepFaceLab's own
formulas, which blur the mask at four times the size.

    python benchmarks/compose.py [--repeats 30] > compose.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from harness import report, spread
from mien.arrays import as_dtype, as_float
from mien.geometry import HEAD_MODEL, crop_matrix, invert, make_crop
from mien.merging import (
    MergeOptions,
    apply,
    color_pair,
    face_alpha,
    finish,
    paste_matrix,
    place,
    plate_crop,
    recoloured,
    seen_part,
    to_frame,
)
from mien.merging.parity import OldSettings, OldTools, merge_frame
from mien.registry import Registry
from mien.stages import Blended, BlendProvider, ColorPair
from mien.testing import FakeContext
from mien.types import CropSpec, Face, FaceType, Frame, Swap, replace
from mien_blend_overlay import Overlay
from mien_color_reinhard.stage import Reinhard

FACE_HEIGHT = 400
OPTIONS = MergeOptions()
COLOR, BLEND = Reinhard("area", 1.0), Overlay()
# The same edge as `OPTIONS` gives: 2 and 8 percent of the crop, in pixels of four times its size.
OLD = OldSettings(mask_mode=1, erode=40, blur=82)
CONTROLS: dict[str, dict[str, Any]] = {
    "none": {},
    "light and contrast": {"light": 50, "contrast": 50},
    "sharpen": {"sharpen_mode": "gaussian", "sharpen": 3},
    "motion blur": {"motion_blur": 100},
    "denoise": {"denoise": 100},
    "degrade": {"degrade": 50},
    "colour degrade": {"color_degrade": 50},
    "grain": {"grain": 100},
}


def scene(height: int, width: int, dtype: str, size: int) -> tuple[Frame, Face, Swap]:
    """A frame with one face in its middle, and its own darkened crop as the swap."""
    rng = np.random.default_rng(0)
    coarse = rng.random((height // 10, width // 10, 3), dtype=np.float32)
    image = np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    frame = Frame(index=0, image=as_dtype(image, dtype))
    tall = float(np.ptp(HEAD_MODEL[:, 1]))
    points = HEAD_MODEL[:, :2] * (FACE_HEIGHT / tall) + (width / 2, height / 2)
    face = Face(box=(0, 0, 1, 1), landmarks=points.astype(np.float32))
    crop = make_crop(frame, face, CropSpec(face_type=FaceType.WHOLE, size=size))
    return frame, face, Swap(image=crop.image * np.float32(0.7), matrix=crop.matrix)


def in_the_box(frame: Frame, face: Face, swap: Swap) -> Frame:
    swap = replace(swap, alpha=face_alpha(frame, face, swap, OPTIONS))
    part = seen_part(swap)
    (answer,) = COLOR([color_pair(frame, swap, part=part)])
    swap = recoloured(swap, answer, part)
    assert swap.alpha is not None
    placed = to_frame(frame, swap.image, swap.alpha, paste_matrix(swap, OPTIONS))
    (blended,) = BLEND([placed.pair])
    return apply(frame, [(placed, blended)])


def whole_frame(frame: Frame, face: Face, swap: Swap) -> Frame:
    area = face_alpha(frame, face, swap, OPTIONS)
    pair = ColorPair(swap=swap.image, plate=plate_crop(frame, swap), area=area)
    (image,) = COLOR([pair])
    height, width = frame.image.shape[:2]
    back = invert(swap.matrix)
    seen = cv2.warpAffine(image, back, (width, height), flags=cv2.INTER_CUBIC)
    alpha = cv2.warpAffine(area, back, (width, height))[..., None]
    plate = as_float(frame.image)
    mixed = plate * (1 - alpha) + np.clip(seen, 0, 1) * alpha
    return Frame(index=0, image=as_dtype(mixed, frame.image.dtype))


def old_formulas(frame: Frame, face: Face, swap: Swap) -> object:
    """DeepFaceLab's own chain for the same face: mask of the landmarks, rct, overlay."""
    assert face.landmarks is not None
    size = swap.image.shape[0]
    full = np.ones((size, size), np.float32)

    def recolour(image: Any, plate: Any, area: Any) -> Any:
        return COLOR([ColorPair(swap=image, plate=plate, area=area[..., None])])[0]

    tools = OldTools(
        predict=lambda crop: (crop * np.float32(0.7), full, full),
        size=size,
        face_type=FaceType.WHOLE,
        transfer=recolour,
    )
    return merge_frame(frame.image, [face.landmarks], tools, OLD)


def milliseconds(work: Callable[[], object], repeats: int) -> dict[str, float]:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return spread(times, 2)


def steps(frame: Frame, face: Face, swap: Swap, repeats: int) -> dict[str, dict[str, float]]:
    """The parts of `in_the_box`, one by one."""
    assert face.landmarks is not None
    points, size = face.landmarks, swap.image.shape[0]
    area = face_alpha(frame, face, swap, OPTIONS)
    swap = replace(swap, alpha=area)
    part = seen_part(swap)
    pair = color_pair(frame, swap, part=part)
    matrix = paste_matrix(swap, OPTIONS)
    placed = to_frame(frame, swap.image, area, matrix)
    (blended,) = BLEND([placed.pair])
    parts: dict[str, Callable[[], object]] = {
        "crop_matrix": lambda: crop_matrix(points, FaceType.WHOLE, size),
        "face_alpha": lambda: face_alpha(frame, face, swap, OPTIONS),
        "plate_crop": lambda: plate_crop(frame, swap, part),
        "reinhard": lambda: COLOR([pair]),
        "to_frame": lambda: to_frame(frame, swap.image, area, matrix),
        "apply": lambda: apply(frame, [(placed, blended)]),
    }
    return {name: milliseconds(part, repeats) for name, part in parts.items()}


def blends(frame: Frame, face: Face, swap: Swap, repeats: int) -> dict[str, dict[str, float]]:
    """Every installed blend on the box of the face."""
    area = face_alpha(frame, face, swap, OPTIONS)
    pair = to_frame(frame, swap.image, area, paste_matrix(swap, OPTIONS)).pair
    registry, found = Registry.installed(), {}
    for name in registry.names("blend"):
        card = registry.get(BlendProvider, name)
        stage = card.create(card.options(), FakeContext())
        found[name] = milliseconds(partial(stage, [pair]), repeats)
    return found


def controls(frame: Frame, face: Face, swap: Swap, repeats: int) -> dict[str, dict[str, float]]:
    """Placing and finishing with one control at a time."""
    swap = replace(swap, alpha=face_alpha(frame, face, swap, OPTIONS))
    rng = np.random.default_rng(0)

    def work(options: MergeOptions) -> None:
        placed = place(frame, swap, options, way=(12.0, 5.0))
        blended = Blended(image=placed.pair.swap, alpha=placed.pair.alpha)
        finish(blended, placed.pair, options, rng)

    return {
        name: milliseconds(partial(work, MergeOptions(**options)), repeats)
        for name, options in CONTROLS.items()
    }


def measure(height: int, width: int, dtype: str, size: int, repeats: int) -> dict[str, object]:
    """One row of the report."""
    one = scene(height, width, dtype, size)
    return {
        "in_the_box": milliseconds(lambda: in_the_box(*one), repeats),
        "whole_frame": milliseconds(lambda: whole_frame(*one), max(repeats // 4, 5)),
        "steps": steps(*one, repeats),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the merge of one face, on one core.")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--size", type=int, default=256, help="side of the swap in pixels")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    few = max(arguments.repeats // 4, 3)
    cases = ((1080, 1920, "uint8"), (1080, 1920, "uint16"), (2160, 3840, "uint8"))
    rows: dict[str, Any] = {
        f"{width}x{height} {dtype}": measure(
            height, width, dtype, arguments.size, arguments.repeats
        )
        for height, width, dtype in cases
    }
    one = scene(1080, 1920, "uint8", arguments.size)
    rows["blends"], rows["controls"] = blends(*one, few), controls(*one, few)
    # The least of many runs: what else the machine does makes a run slower, never faster.
    rows["old_formulas"] = {"1920x1080 uint8": milliseconds(partial(old_formulas, *one), few)}
    times = [rows[f"{size} uint8"]["in_the_box"]["least"] for size in ("1920x1080", "3840x2160")]
    rows["ratios"] = {
        "whole_frame to in_the_box": rows["1920x1080 uint8"]["whole_frame"]["least"] / times[0],
        "old_formulas to in_the_box": rows["old_formulas"]["1920x1080 uint8"]["least"] / times[0],
        "3840x2160 to 1920x1080": times[1] / times[0],
    }
    report(
        "compose",
        {
            "face_height": FACE_HEIGHT,
            "swap_size": arguments.size,
            "face_type": "whole",
            "opencv_threads": 1,
            "repeats": arguments.repeats,
            "unit": "milliseconds",
        },
        rows,
    )


if __name__ == "__main__":
    main()
