"""Labels of the masker: what every pixel of a crop is, drawn from the teacher's mesh.

No picture of the set is labelled by pixels.  The 478-point mesh gives outlines: of the face up to
the hairline, of brows, eyes and lips.  What the outlines cannot know is marked as unknown: a
fringe on the forehead is told from skin by its colour only, so it counts neither way.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from mien.arrays import Image, Matrix
from mien.geometry import hull_mask, transform
from numpy.typing import NDArray

from .data import Array, Picture

CLASSES = ("background", "skin", "forehead", "brows", "eyes", "lips", "mouth")
UNKNOWN = 255
MESH_POINTS = 468

# Index lists of MediaPipe's canonical face mesh.
_BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
_EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_MOUTH = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
_CHEEKS = (50, 280, 205, 425, 4)
# Outlines are traced on a canvas this many times finer than the picture.
_FINER = 3
_FIXED = 4  # binary digits after the point in the coordinates that cv2 fills

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """A face as polygons in the pixels of its picture: (n, 2) float32 each.

    face      all that the mesh covers;  points68  for the hull that parts forehead from skin
    cheeks    (5, 2) places of plain skin
    """

    face: Array
    points68: Array
    brows: tuple[Array, ...]
    eyes: tuple[Array, ...]
    lips: Array
    mouth: Array
    cheeks: Array


def is_usable(picture: Picture) -> bool:
    """Whether the mesh of the main face can be believed: trusted, or where the detector saw eyes
    and mouth."""
    if not picture.faces or picture.mesh is None:
        return False
    face = picture.faces[0]
    if face.trusted:
        return True
    mesh = picture.mesh[:, :2]
    seen = np.stack([mesh[list(eye)].mean(0) for eye in _EYES] + [mesh[61], mesh[291]])
    told = face.points5[[0, 1, 3, 4]]
    size = face.box[3] - face.box[1]
    return bool(np.linalg.norm(seen - told, axis=1).max() < 0.1 * size)


def find_triangles(pictures: list[Picture]) -> NDArray[np.int64]:
    """(n, 3) triangles over the mesh points, from the face that looks straightest at us."""
    straight = min(pictures, key=lambda each: abs(each.faces[0].yaw))
    assert straight.mesh is not None
    points = straight.mesh[:MESH_POINTS, :2].astype(np.float64)
    points = (points - points.min(0)) / np.ptp(points, axis=0) * 1000 + 10
    plane = cv2.Subdiv2D((0, 0, 1100, 1100))
    index: dict[int, int] = {}
    for number, (x, y) in enumerate(points.tolist()):
        index.setdefault(int(plane.insert((x, y))), number)
    found = np.asarray(plane.getTriangleList()).reshape(-1, 3, 2)
    inside = found[((found > 0) & (found < 1100)).all((1, 2))]
    far = np.linalg.norm(inside[:, :, None] - points[None, None], axis=3)
    return np.asarray(far.argmin(2), np.int64)


def trace(picture: Picture, triangles: NDArray[np.int64]) -> Outlines:
    """The outlines of the main face of a picture."""
    assert picture.mesh is not None
    mesh = np.ascontiguousarray(picture.mesh[:, :2])
    return Outlines(
        face=_silhouette(mesh[:MESH_POINTS], triangles),
        points68=picture.faces[0].points68,
        brows=tuple(mesh[list(part)] for part in _BROWS),
        eyes=tuple(mesh[list(part)] for part in _EYES),
        lips=mesh[list(_LIPS)],
        mouth=mesh[list(_MOUTH)],
        cheeks=mesh[list(_CHEEKS)],
    )


def _silhouette(mesh: Array, triangles: NDArray[np.int64]) -> Array:
    """The outer line of all triangles: of a turned head the oval alone is too small."""
    low = mesh.min(0) - 2
    fine = (mesh - low) * _FINER
    width, height = np.ceil(fine.max(0)).astype(int) + 2 * _FINER
    canvas = np.zeros((height, width), np.uint8)
    for corners in np.rint(fine[triangles]).astype(np.int32):
        cv2.fillConvexPoly(canvas, corners, 255)
    lines, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = cv2.approxPolyDP(max(lines, key=cv2.contourArea), 0.7, True)
    return np.asarray(line.reshape(-1, 2) / _FINER + low, np.float32)


def draw(outlines: Outlines, matrix: Matrix, size: int) -> Labels:
    """The class of every pixel of a crop.  matrix  picture to crop.  Returns (size, size)."""
    labels = np.zeros((size, size), np.uint8)
    points = transform(matrix, outlines.points68)
    _fill(labels, transform(matrix, outlines.face), CLASSES.index("skin"))
    above = _above_the_eyes(points, size)
    hull = hull_mask(points, size)[..., 0] > 0.5
    labels[(labels > 0) & ~hull & above] = CLASSES.index("forehead")
    for polygons, name in (
        (outlines.brows, "brows"),
        (outlines.eyes, "eyes"),
        ((outlines.lips,), "lips"),
        ((outlines.mouth,), "mouth"),
    ):
        for polygon in polygons:
            _fill(labels, transform(matrix, polygon), CLASSES.index(name))
    return labels


def mark_unknown(labels: Labels, image: Image, outlines: Outlines, matrix: Matrix) -> Labels:
    """The labels, with UNKNOWN where the forehead has not the colour of the cheeks.

    image  (S, S, 3) uint8 BGR, the crop that the labels belong to
    """
    forehead = labels == CLASSES.index("forehead")
    if not forehead.any():
        return labels
    half = labels.shape[0] // 2  # colours are judged at half the size: faster, and less grain
    small = cv2.resize(image, (half, half), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB)
    places = transform(matrix, outlines.cheeks) / 2
    spots = np.zeros((half, half), np.uint8)
    radius = max(1, round(0.12 * float(np.linalg.norm(places[1] - places[0]))))
    for x, y in np.rint(np.clip(places, -half, 2 * half)).astype(int).tolist():
        cv2.circle(spots, (x, y), radius, 1, -1)
    plain = labels[::2, ::2] == CLASSES.index("skin")
    sample = lab[(spots[: plain.shape[0], : plain.shape[1]] > 0) & plain].astype(np.float32)
    if len(sample) < 6:
        return labels
    # A forehead may be much lighter than the cheeks, and somewhat darker; its hue stays.
    away = lab.astype(np.float32) - np.median(sample, axis=0).astype(np.float32)
    darker = away[..., 0] < -max(35.0, 3 * float(sample[:, 0].std()))
    tinted = away[..., 1] ** 2 + away[..., 2] ** 2 > 16**2
    odd = cv2.resize((darker | tinted).astype(np.uint8), labels.shape[::-1], interpolation=0)
    return np.where(forehead & (odd > 0), UNKNOWN, labels).astype(np.uint8)


def _above_the_eyes(points: Array, size: int) -> NDArray[np.bool_]:
    """The side of the line from temple to temple on which the forehead lies."""
    left, right, chin = (points[place].astype(np.float64) for place in (0, 16, 8))
    normal = np.array([-(right - left)[1], (right - left)[0]])
    normal *= -np.sign(normal @ (chin - left)) or 1.0
    along = np.arange(size, dtype=np.float32)
    height = (along - left[0]) * normal[0] + ((along - left[1]) * normal[1])[:, None]
    return np.asarray(height > 0)


def _fill(labels: Labels, polygon: Array, value: int) -> None:
    limit = 16.0 * labels.shape[0] + 1000  # cv2 overflows on points far outside
    fixed = np.rint(np.clip(polygon, -limit, limit) * 2**_FIXED).astype(np.int32)
    cv2.fillPoly(labels, [fixed], value, lineType=cv2.LINE_8, shift=_FIXED)
