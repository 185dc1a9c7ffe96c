"""The preview sheet of a training, and its loss curve, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, as_dtype
from ..atomic import write_whole
from ..errors import OutputError

if TYPE_CHECKING:
    from torch import Tensor

_TILE = 128
_GAP = 4
_HEAD = 22
_GROUND = 32
_CURVE = (720, 360)
_COLOURS = ((80, 175, 255), (230, 160, 70), (110, 210, 120), (200, 120, 220))
_BUCKETS = 600


def pictures(faces: Tensor) -> list[Image]:
    """Tensor (N, 3, S, S) as pictures (S, S, 3) float32 BGR 0..1."""
    values = faces.float().clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(value) for value in values]


def contact_sheet(columns: Mapping[str, Sequence[Image]]) -> NDArray[np.uint8]:
    """Pictures (S, S, 3) float32 BGR 0..1 side by side, a title above each column.

    Returns (H, W, 3) uint8; small pictures are enlarged by whole numbers, so pixels stay visible.
    """
    import cv2

    size = max((len(image) for images in columns.values() for image in images), default=1)
    tile = size * max(1, -(-_TILE // size))
    rows = max((len(images) for images in columns.values()), default=0)
    height = _HEAD + rows * (tile + _GAP)
    sheet = np.full((height, len(columns) * (tile + _GAP) - _GAP, 3), _GROUND, np.uint8)
    for column, (title, images) in enumerate(columns.items()):
        x = column * (tile + _GAP)
        _write_text(sheet, title, (x + 2, 15))
        for row, image in enumerate(images):
            y = _HEAD + row * (tile + _GAP)
            large = cv2.resize(image, (tile, tile), interpolation=cv2.INTER_NEAREST)
            sheet[y : y + tile, x : x + tile] = as_dtype(large, np.uint8)
    return sheet


def loss_curve(history: Sequence[Mapping[str, Any]]) -> NDArray[np.uint8]:
    """The losses over the iterations, averaged in buckets, logarithmic.  # (H, W, 3) uint8"""
    import cv2

    width, height = _CURVE
    sheet = np.full((height, width, 3), _GROUND, np.uint8)
    names = list(history[-1]["losses"]) if history else []
    curves = {name: _averaged(history, name) for name in names}
    values = np.concatenate([curve[1] for curve in curves.values()]) if curves else np.ones(1)
    low, high = np.log(values.min()), np.log(values.max())
    span = max(high - low, 1e-6)
    last = max(1, history[-1]["iteration"]) if history else 1
    for number, (name, (places, means)) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        x = places / last * (width - 20) + 10
        y = height - 12 - (np.log(means) - low) / span * (height - 60)
        points = np.stack((x, y), -1).round().astype(np.int32)
        cv2.polylines(sheet, [points], False, colour, 1, cv2.LINE_AA)
        _write_text(sheet, f"{name} {means[-1]:.4f}", (10 + 150 * number, 18), colour)
    return sheet


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a sheet, whole or not at all."""
    import cv2

    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise OutputError(f"{path}: a picture of shape {picture.shape} cannot be encoded")
    write_whole(path, bytes(data))


def _averaged(
    history: Sequence[Mapping[str, Any]], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(iterations, mean losses) of at most `_BUCKETS` stretches of the history."""
    seen = [(line["iteration"], line["losses"][name]) for line in history if name in line["losses"]]
    parts = np.array_split(np.array(seen, np.float64), min(_BUCKETS, len(seen)))
    means = np.array([part.mean(0) for part in parts])
    return means[:, 0], np.maximum(means[:, 1], 1e-9)


def _write_text(
    sheet: NDArray[np.uint8],
    text: str,
    place: tuple[int, int],
    colour: tuple[int, int, int] = (230, 230, 230),
) -> None:
    import cv2

    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
