"""faceswap's squares around a face: landmarks to the matrix of a crop.

Sources: the mean face and head model of faceswap as our reference sheets list them; Umeyama 1991.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from mien.arrays import Matrix
from mien.geometry import transform
from numpy.typing import NDArray

Centring = Literal["legacy", "face", "head"]
Floats = NDArray[np.float64]

RATIO = {"legacy": 0.375, "face": 0.5, "head": 0.625}
_ANCHORS = {"face": (0.0, -1.5, 4.2), "head": (0.0, 0.0, -2.3)}
_INNER = slice(17, 68)
_FLATTEST = 1e-4

# fmt: off
_MEAN_FACE = np.array([
    (.010086, .106454), (.085135, .038915), (.191003, .018748), (.300643, .034489),
    (.403270, .077391), (.596729, .077391), (.699356, .034489), (.808997, .018748),
    (.914864, .038915), (.989913, .106454), (.500000, .203352), (.500000, .307009),
    (.500000, .409805), (.500000, .515625), (.376753, .587326), (.435909, .609345),
    (.500000, .628106), (.564090, .609345), (.623246, .587326), (.131610, .216423),
    (.196995, .178758), (.275698, .179852), (.344479, .231733), (.270791, .245099),
    (.192616, .244077), (.655520, .231733), (.724301, .179852), (.803005, .178758),
    (.868389, .216423), (.807383, .244077), (.729208, .245099), (.264022, .780233),
    (.350858, .745405), (.438731, .727388), (.500000, .742578), (.561268, .727388),
    (.649141, .745405), (.735977, .780233), (.652032, .864805), (.566594, .902192),
    (.500000, .909281), (.433405, .902192), (.347967, .864805), (.300252, .784792),
    (.437969, .778746), (.500000, .785343), (.562030, .778746), (.699747, .784792),
    (.563237, .824182), (.500000, .831803), (.436763, .824182),
])
_POSE_POINTS = (
    6, 7, 8, 9, 10, 17, 21, 22, 26, 31, 32, 33, 34, 35, 36, 39, 42, 45, 48, 50, 51, 52, 54, 56, 57,
    58,
)
_HEAD = np.array([
    (4.056931, -11.432347, 1.636229), (1.833492, -12.542305, 4.061275),
    (0.0, -12.901019, 4.070434), (-1.833492, -12.542305, 4.061275),
    (-4.056931, -11.432347, 1.636229), (6.825897, 1.275284, 4.402142),
    (1.330353, 1.636816, 6.903745), (-1.330353, 1.636816, 6.903745),
    (-6.825897, 1.275284, 4.402142), (1.930245, -5.060977, 5.914376),
    (.746313, -5.136947, 6.263227), (0.0, -5.485328, 6.76343), (-.746313, -5.136947, 6.263227),
    (-1.930245, -5.060977, 5.914376), (5.311432, 0.0, 3.987654), (1.78993, -.091703, 4.413414),
    (-1.78993, -.091703, 4.413414), (-5.311432, 0.0, 3.987654), (2.774015, -7.566103, 5.048531),
    (.509714, -7.056507, 6.566167), (0.0, -7.131772, 6.704956), (-.509714, -7.056507, 6.566167),
    (-2.774015, -7.566103, 5.048531), (-.589441, -8.443925, 6.109526), (0.0, -8.601736, 6.097667),
    (.589441, -8.443925, 6.109526),
])
_PICKED_OF_98 = (
    *range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60), 60, 61, 63, 64, 65, 67,
    68, 69, 71, 72, 73, 75, *range(76, 88), *range(88, 96),
)
# fmt: on


def square(points: Floats, size: int, centring: Centring, coverage: float = 1.0) -> Matrix:
    """Frame pixels to pixels of faceswap's crop.

    points  (68, 2), frame pixels;  size  the crop's side;  coverage  how much of it is shown
    Raises ValueError where the points lie on one line, or no pose fits them.
    """
    matrix = unit_matrix(points)
    matrix[:, 2] -= offset(matrix, points, centring)
    padding = round(size * (RATIO[centring] + coverage - 1) / (2 * coverage))
    matrix *= size - 2 * padding
    matrix[:, 2] += padding
    return matrix


def unit_matrix(points: Floats) -> Matrix:
    """Similarity from the frame to the unit square of the mean face, over the 51 inner points."""
    source = points[_INNER]
    middle, aim = source.mean(0), _MEAN_FACE.mean(0)
    spread, wanted = source - middle, _MEAN_FACE - aim
    strengths = np.linalg.svd(spread, compute_uv=False)
    if not strengths[0] > 0 or strengths[1] / strengths[0] < _FLATTEST:
        raise ValueError("landmarks lie on one point or one line: the face cannot be aligned")
    # In the plane the best similarity is one complex number: turn and scale of spread onto wanted.
    (xx, xy), (yx, yy) = (spread.T @ wanted / np.square(spread).sum()).tolist()
    linear = np.array([[xx + yy, yx - xy], [xy - yx, xx + yy]])
    return np.column_stack((linear, aim - linear @ middle))


def offset(matrix: Matrix, points: Floats, centring: Centring) -> Floats:
    """How far a centring's anchor in the head lies from the middle of the unit square.  # (2,)"""
    import cv2

    if centring == "legacy":
        return np.zeros(2)
    seen = transform(matrix, points)
    camera = np.array([[4.0, 0.0, 0.5], [0.0, 4.0, 0.5], [0.0, 0.0, 1.0]])
    still = np.zeros((4, 1))
    try:
        found, turn, move = cv2.solvePnP(_HEAD, seen[list(_POSE_POINTS)], camera, still)
    except cv2.error as error:
        raise ValueError("no head pose fits the landmarks") from error
    if not found:
        raise ValueError("no head pose fits the landmarks")
    shown = cv2.projectPoints(np.array([_ANCHORS[centring]]), turn, move, camera, still)[0]
    place: Floats = shown.reshape(2).astype(np.float64) - 0.5
    if not np.isfinite(place).all():
        raise ValueError("no head pose fits the landmarks")
    return place


def as_68(points: Floats) -> Floats:
    """68 points in iBUG order of 68, or of 98 as faceswap picks them.  Raises ValueError."""
    if points.shape == (98, 2):
        return points[list(_PICKED_OF_98)]
    if points.shape != (68, 2):
        raise ValueError(f"has {len(points)} landmarks, 68 are needed")
    return points
