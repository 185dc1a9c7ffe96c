"""Turns a photographed head: the teacher's mesh, drawn again from another side.

Pictures of faces seen from the side are rare, and labels on them rarer.  The mesh has a depth, so
a face can be turned with its own picture as texture, and its points turn with it.  Around the mesh
lie three rings of made-up points that fall back as a head does, and one of background that stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from mien.arrays import Image, Matrix
from mien_mesh.points import to_ibug
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MESH = 468
# The outline of the mesh, around the face from the forehead.
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
# (how far out, how far back): multiples of the outline's own distance, and of the face's width.
_RINGS = ((1.12, 0.14), (1.35, 0.42), (1.7, 0.6))
_BACKGROUND = 4.5


class HeadTurner:
    """Draws faces turned; holds the triangles, which are the same for all.

    meshes  (N, 478, 3) of frontal faces: their mean is cut into triangles
    """

    def __init__(self, meshes: NDArray[np.float32]) -> None:
        mean = _with_rings(meshes.astype(np.float64).mean(axis=0)[:MESH])
        self._triangles = _triangulate(mean[:, :2])

    def turn(
        self, image: Image, mesh: NDArray[np.float32], yaw: float, pitch: float
    ) -> tuple[Floats, Floats]:
        """(vertices before, vertices after): pixels of the picture, (V, 3) each.

        yaw, pitch  degrees added to the head's own; the head turns about its middle
        """
        before = _with_rings(mesh[:MESH].astype(np.float64))
        still = len(before) - len(_OVAL)
        width = np.ptp(before[:MESH, 0])
        pivot = before[:MESH].mean(axis=0) + np.array([0, 0, 0.3 * width])
        a, b = np.deg2rad([yaw, pitch])
        around = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
        nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        after = before.copy()
        after[:still] = (before[:still] - pivot) @ (nod @ around).T + pivot
        return before, after

    def draw(self, image: Image, before: Floats, after: Floats, matrix: Matrix, side: int) -> Image:
        """(side, side, 3) of the turned head, seen through `matrix` (turned picture to crop)."""
        seen = after[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        corners = seen[self._triangles]  # (T, 3, 2)
        depth = after[self._triangles, 2].mean(axis=1)
        inside = (corners.max(axis=1) >= 0).all(axis=1) & (corners.min(axis=1) < side).all(axis=1)
        order = np.argsort(-depth, kind="stable")
        order = order[inside[order]]
        drawn = np.full((side, side), -1, np.int32)
        rounded = np.clip(np.rint(corners * 16), -32000, 32000).astype(np.int32)
        for index in order.tolist():
            cv2.fillConvexPoly(drawn, rounded[index], index, shift=4)
        maps = _affines(corners, before[self._triangles][..., :2])  # (T, 2, 3)
        flat = np.maximum(drawn.ravel(), 0)
        ys, xs = np.divmod(np.arange(side * side, dtype=np.float32), side)
        chosen = maps[flat]
        where = chosen[:, :, 0] * xs[:, None] + chosen[:, :, 1] * ys[:, None] + chosen[:, :, 2]
        where[drawn.ravel() < 0] = -1000.0
        across, down = where.astype(np.float32).T.reshape(2, side, side)
        return cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def turned_points(after: Floats) -> NDArray[np.float32]:
    """The 68 points of turned vertices."""
    return to_ibug(after[:MESH, :2])


def _with_rings(mesh: Floats) -> Floats:
    """The mesh (468, 3), the rings of the head and the still ring of the background."""
    oval = mesh[list(_OVAL)]
    centre = oval.mean(axis=0)
    width = np.ptp(oval[:, 0])
    parts = [mesh]
    for out, back in _RINGS:
        ring = centre + (oval - centre) * out
        # The forehead and the chin fall back more slowly than the temples at first.
        ring[:, 2] = oval[:, 2] + back * width
        parts.append(ring)
    far = centre + (oval - centre) * _BACKGROUND
    far[:, 2] = oval[:, 2].max() + 3 * width
    return np.concatenate([*parts, far])


def _triangulate(points: Floats) -> NDArray[np.int64]:
    """(T, 3) indices of Delaunay's triangles."""
    low, high = points.min(axis=0) - 10, points.max(axis=0) + 10
    rect = (*np.floor(low).astype(int).tolist(), *np.ceil(high - low).astype(int).tolist())
    division = cv2.Subdiv2D(rect)
    division.insert(points.astype(np.float32).tolist())
    corners = np.asarray(division.getTriangleList(), np.float64).reshape(-1, 3, 2)
    away = np.linalg.norm(corners[:, :, None] - points[None, None], axis=3)  # (T, 3, V)
    found = away.min(axis=2).max(axis=1) < 0.5
    triangles = away.argmin(axis=2)[found]
    distinct = [row for row in triangles.tolist() if len(set(row)) == 3]
    return np.array(distinct, np.int64)


def _affines(source: Floats, target: Floats) -> NDArray[np.float32]:
    """(T, 2, 3) that map triangles (T, 3, 2) onto triangles; zero where a triangle is a line."""
    ones = np.ones((*source.shape[:2], 1))
    full = np.concatenate([source, ones], axis=2)  # (T, 3, 3), rows x y 1
    flat = np.abs(np.linalg.det(full)) < 1e-6
    full[flat] = np.eye(3)
    maps = np.swapaxes(np.linalg.solve(full, target), 1, 2)
    maps[flat] = 0
    return maps.astype(np.float32)
