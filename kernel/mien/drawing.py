"""What was found, drawn into the frame: for a look, never for further work.

blue       the detector's box, with the track's number and the score
green      the 68 points, joined as brows, eyes, nose, lips and jaw
red        the crop that is stored, and the triangle at its upper left corner
yellow     from the middle of the face to the top of the head
darkened   what the mask leaves out, inside the crop
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from .arrays import Image, Matrix, as_dtype, as_float
from .geometry import crop_matrix, invert, transform, warp
from .types import Face, FaceMask, FaceType, Frame

BLUE, GREEN, RED, YELLOW = (255, 96, 0), (0, 255, 0), (0, 0, 255), (0, 230, 255)

OPEN_LINES = (range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
CLOSED_LINES = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))


def draw_faces(frame: Frame, faces: Iterable[Face], face_type: FaceType | None = None) -> Image:
    """The frame as an 8-bit picture with its faces drawn in.

    face_type  also shows the crop of this type, the up-vector and the first mask
    """
    image = as_dtype(as_float(frame.image), "uint8").copy()
    thick = max(1, round(max(image.shape[:2]) / 700))
    for face in faces:
        _draw_box(image, face, thick)
        if face.landmarks is not None:
            if face_type is not None:
                _draw_crop(image, face, face_type, thick)
            _draw_points(image, face.landmarks, thick)
    return image


def _draw_box(image: Image, face: Face, thick: int) -> None:
    (x0, y0), (x1, y1) = _pixels(np.reshape(face.box, (2, 2)))
    cv2.rectangle(image, (x0, y0), (x1, y1), BLUE, thick)
    words = f"{face.track} " if face.track >= 0 else ""
    place = (x0, max(y0 - 3 * thick, 12))
    cv2.putText(
        image, f"{words}{face.score:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, BLUE, thick
    )
    for x, y in _pixels(face.points5) if face.points5 is not None else ():
        cv2.circle(image, (x, y), thick + 1, BLUE, -1, cv2.LINE_AA)


def _draw_points(image: Image, landmarks: Any, thick: int) -> None:
    points = np.array(_pixels(landmarks), np.int32)
    for lines, closed in ((OPEN_LINES, False), (CLOSED_LINES, True)):
        cv2.polylines(image, [points[list(line)] for line in lines], closed, GREEN, 1, cv2.LINE_AA)
    for x, y in points.tolist():
        cv2.circle(image, (x, y), thick, GREEN, -1, cv2.LINE_AA)


def _draw_crop(image: Image, face: Face, face_type: FaceType, thick: int) -> None:
    assert face.landmarks is not None
    matrix = crop_matrix(face.landmarks, face_type, 100)
    back = invert(matrix)
    if face.masks:
        _darken(image, next(iter(face.masks.values())), back)
    square = transform(back, np.array([(0, 0), (100, 0), (100, 100), (0, 100)], np.float64))
    corner = transform(back, np.array([(5, 0), (10, 10), (0, 10)], np.float64))
    up = transform(back, np.array([(50, 50), (50, 15)], np.float64))
    for outline in (square, corner):
        cv2.polylines(image, [np.array(_pixels(outline), np.int32)], True, RED, thick, cv2.LINE_AA)
    start, end = _pixels(up)
    cv2.arrowedLine(image, start, end, YELLOW, thick, cv2.LINE_AA, tipLength=0.2)


def _darken(image: Image, placed: FaceMask, back: Matrix) -> None:
    """Half the light for what lies inside the crop and outside the mask."""
    # Interpolation reaches two of the crop's pixels beyond its border.
    around = np.array([(-2, -2), (102, -2), (102, 102), (-2, 102)], np.float64)
    corners = _pixels(transform(back, around))
    (left, top), (right, bottom) = np.maximum([np.min(corners, 0) - 1, np.max(corners, 0) + 2], 0)
    part = image[top:bottom, left:right]
    if not part.size:
        return
    size = part.shape[1], part.shape[0]
    moved = np.array([(0, 0, left), (0, 0, top)])
    inside = warp(np.ones((100, 100, 1), np.float32), back - moved, size)
    mask = warp(placed.mask, invert(placed.matrix) - moved, size)
    light = 1 - 0.5 * np.clip(inside - mask, 0, 1)
    part[:] = (part * light).astype(np.uint8)


def _pixels(points: Any) -> list[tuple[int, int]]:
    """Whole pixels; a net lost in noise may put a point far away, where OpenCV cannot follow."""
    limited = np.clip(np.nan_to_num(np.asarray(points, np.float64)), -(2**15), 2**15)
    return [(round(x), round(y)) for x, y in limited.tolist()]
