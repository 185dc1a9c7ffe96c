"""How long it takes to put one face into a frame, on one core.

Compares the program's way, inside the face's box, with the plain one that warps and mixes whole
frames in float.  Both do: mask, colour transfer, warp into the frame, mix, round.

    python benchmarks/compose.py [--repeats 30] > compose.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from harness import report, spread
from mien.arrays import as_dtype, as_float
from mien.compose import MergeOptions, apply, face_alpha, paste_matrix, plate_crop, to_frame
from mien.geometry import HEAD_MODEL, crop_matrix, invert, make_crop
from mien.stages import ColorPair
from mien.types import CropSpec, Face, FaceType, Frame, Swap
from mien_blend_overlay import Overlay
from mien_color_reinhard.stage import Reinhard

FACE_HEIGHT = 400
OPTIONS = MergeOptions()
COLOR, BLEND = Reinhard("area", 1.0), Overlay()


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
    area = face_alpha(frame, face, swap, OPTIONS)
    pair = ColorPair(swap=swap.image, plate=plate_crop(frame, swap), area=area)
    (image,) = COLOR([pair])
    placed = to_frame(frame, image, area, paste_matrix(swap, OPTIONS))
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
    area, plate = face_alpha(frame, face, swap, OPTIONS), plate_crop(frame, swap)
    pair = ColorPair(swap=swap.image, plate=plate, area=area)
    matrix = paste_matrix(swap, OPTIONS)
    placed = to_frame(frame, swap.image, area, matrix)
    (blended,) = BLEND([placed.pair])
    parts: dict[str, Callable[[], object]] = {
        "crop_matrix": lambda: crop_matrix(points, FaceType.WHOLE, size),
        "face_alpha": lambda: face_alpha(frame, face, swap, OPTIONS),
        "plate_crop": lambda: plate_crop(frame, swap),
        "reinhard": lambda: COLOR([pair]),
        "to_frame": lambda: to_frame(frame, swap.image, area, matrix),
        "apply": lambda: apply(frame, [(placed, blended)]),
    }
    return {name: milliseconds(part, repeats) for name, part in parts.items()}


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
    cases = ((1080, 1920, "uint8"), (1080, 1920, "uint16"), (2160, 3840, "uint8"))
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
        {
            f"{width}x{height} {dtype}": measure(
                height, width, dtype, arguments.size, arguments.repeats
            )
            for height, width, dtype in cases
        },
    )


if __name__ == "__main__":
    main()
