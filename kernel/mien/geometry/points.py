"""What 68 points say by themselves: where the head turns, its mirror image, other point sets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Points
from .tables import HEAD_MODEL

_POSE_POINTS = np.array((*range(27), *range(30, 36)))
_POSE_MODEL = np.ascontiguousarray(HEAD_MODEL[_POSE_POINTS])
_NO_DISTORTION = np.zeros((4, 1))

_PAIRS = (
    *((left, 16 - left) for left in range(8)),
    *((left, 43 - left) for left in range(17, 22)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (31, 35), (32, 34)),
    *((50, 52), (49, 53), (48, 54), (59, 55), (58, 56), (67, 65), (60, 64), (61, 63)),
)


_MIRRORED = np.arange(68)
for _left, _right in _PAIRS:
    _MIRRORED[[_left, _right]] = _right, _left


class Pose(NamedTuple):
    """Where the head looks, radians, each within -pi/2..pi/2.

    pitch  > 0 looks up;  yaw  > 0 the nose points to the picture's left
    roll   > 0 turned clockwise in the picture
    """

    pitch: float
    yaw: float
    roll: float


def pose(landmarks: Points, size: int) -> Pose:
    """The head's pose from landmarks in a crop of `size` pixels.

    landmarks  (68, 2), crop pixels.  Roll is near 0 in an upright crop.  Raises ValueError where
    no pose fits.
    """
    import cv2

    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks hold values that are not finite: no pose can be told")
    seen = np.ascontiguousarray(landmarks[_POSE_POINTS], dtype=np.float32)
    camera = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], dtype=np.float64)
    found, rotation, _ = cv2.solvePnP(_POSE_MODEL, seen, camera, _NO_DISTORTION)
    if not found:
        raise ValueError("no head pose fits the landmarks")
    r = cv2.Rodrigues(rotation)[0]
    steep = float(np.hypot(r[0, 0], r[1, 0]))
    if steep >= 1e-6:
        x, z = np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])
    else:
        x, z = np.arctan2(-r[1, 2], r[1, 1]), 0.0
    angles = np.clip((-x, np.arctan2(-r[2, 0], steep), z), -np.pi / 2, np.pi / 2)
    return Pose(*angles.tolist())


def averaged_yaw(points: Points) -> float:
    """How far the nose bridge is off the middle of the jaw, in the units of the points.

    points  (68, 2), aligned.  The sign is that of `Pose.yaw`.
    """
    x = np.asarray(points[:, 0], dtype=np.float64)
    left = np.mean(x[[27, 28, 29]] - x[[0, 1, 2]])
    right = np.mean(x[[16, 15, 14]] - x[[27, 28, 29]])
    return float(right - left)


def mirror(points: Points, width: int) -> Points:
    """The landmarks of the mirrored picture, which is `width` pixels wide.  # (68, 2)"""
    turned: Points = points[_MIRRORED]
    turned[:, 0] = width - 1 - turned[:, 0]
    return turned


def lm98_to_68(points: Points) -> Points:
    """98 points in WFLW order as 68 in iBUG order.  # (98, 2) -> (68, 2)"""
    if points.shape != (98, 2):
        raise ValueError(f"landmarks have shape {points.shape}, must be (98, 2)")
    p = points

    def jaw(i: int) -> Points:
        return (p[i] + (p[i - 1] + p[i + 1]) / 2) / 2  # type: ignore[no-any-return]

    half = [p[0], *map(jaw, range(2, 16, 2)), p[16], *map(jaw, range(18, 32, 2)), p[32]]
    brows = [p[33], *((p[a] + p[b]) / 2 for a, b in ((34, 41), (35, 40), (36, 39), (37, 38)))]
    brows += [*((p[a] + p[b]) / 2 for a, b in ((42, 50), (43, 49), (44, 48), (45, 47))), p[46]]
    eyes = p[[60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75]]
    return np.concatenate((np.stack(half), np.stack(brows), p[51:60], eyes, p[76:96]))
