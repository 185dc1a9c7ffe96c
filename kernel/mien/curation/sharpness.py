"""How sharp a picture looks: CPBD, and how much its Laplacian and its fine frequencies say."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image
from .edges import canny

Picture = NDArray[Any]

_BLOCK = 64
_EDGES_IN_BLOCK = 0.002 * _BLOCK * _BLOCK
_LONGEST = 100
_SEEN_FROM = 63
_FLAT = np.tan(np.pi / 8)
_COARSE = 75  # frequencies from the middle outwards that blur does not touch


def _bins(just_noticed: int) -> NDArray[np.int64]:
    """Per cent of the chance to see blur at an edge so many pixels wide."""
    width = np.arange(2 * _LONGEST + 3, dtype=np.float64)
    return np.round(100 * (1 - np.exp(-((width / just_noticed) ** 3.6)))).astype(np.int64)


_BINS_LOW, _BINS_HIGH = _bins(5), _bins(3)


def cpbd(grey: Picture) -> float:
    """Cumulative probability of blur detection: the share of edges at which nobody sees blur.

    grey  (H, W).  Returns 0 (blurred, or no edge at all) to 1.
    Source: Narvekar and Karam 2011; details as DeepFaceLab has them, so that scores are its own.
    """
    height, width = (side // _BLOCK * _BLOCK for side in grey.shape)
    if not height or not width:
        return 0.0
    exact = grey.astype(np.float64)
    widths = _edge_widths(exact)[:height, :width]
    blocks = (height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    counts = canny(exact)[:height, :width].reshape(blocks).sum(axis=(1, 3)) > _EDGES_IN_BLOCK
    inside = grey[:height, :width].reshape(blocks)
    contrast = inside.max(axis=(1, 3)).astype(int) - inside.min(axis=(1, 3))
    total = seen = 0
    widths = widths.reshape(blocks).transpose(0, 2, 1, 3)
    for bins, chosen in ((_BINS_LOW, contrast <= 50), (_BINS_HIGH, contrast > 50)):
        found = widths[counts & chosen]
        found = found[found > 0]
        total += found.size
        seen += int((bins[found] <= _SEEN_FROM).sum())
    return seen / total if total else 0.0


def motion_blur(image: Image) -> float:
    """Variance of a broad Laplacian over all channels; small for pictures blurred by motion."""
    return float(cv2.Laplacian(image, cv2.CV_64F, ksize=11).var())


def laplacian(grey: Picture) -> float:
    """Variance of the Laplacian for a pixel of the side: faceswap's measure of blur."""
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / float(np.sqrt(grey.size))


def fine_frequencies(grey: Picture) -> float:
    """Mean logarithm of what the picture holds besides its coarse frequencies: faceswap's blur-fft.

    grey  (H, W), larger than 150 pixels, or nothing is left.
    """
    planes = cv2.dft(grey.astype(np.float32), flags=cv2.DFT_COMPLEX_OUTPUT)  # (H, W, 2)
    for rows in (slice(None, _COARSE), slice(-_COARSE, None)):
        for columns in (slice(None, _COARSE), slice(-_COARSE, None)):
            planes[rows, columns] = 0
    fine = cv2.dft(planes, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    return float(np.log(np.maximum(np.abs(fine), 1e-6)).mean())


def _edge_widths(grey: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pixels over which the brightness rises or falls through each upright edge, else 0."""
    widths = np.zeros(grey.shape, np.int64)
    y, x = np.nonzero(_edges(grey))
    across = grey[y, x + 1] - grey[y, x - 1]
    along = np.abs(grey[y + 1, x] - grey[y - 1, x])
    # Where nothing changes sideways the direction counts as 0, whatever happens downwards.
    upright = (across == 0) | (along <= _FLAT * np.abs(across))
    y, x, sign = y[upright], x[upright], np.where(across[upright] < 0, -1.0, 1.0)
    guarded: Picture = cv2.copyMakeBorder(grey, 0, 0, 1, 1, cv2.BORDER_CONSTANT, value=np.nan)
    at = y * guarded.shape[1] + x + 1
    flat = guarded.ravel()
    widths[y, x] = _walk(flat, at, -sign, -1) + _walk(flat, at, sign, 1) + 2
    return widths


def _walk(
    flat: NDArray[np.float64], at: NDArray[np.int64], sign: NDArray[np.float64], step: int
) -> NDArray[np.int64]:
    """From the neighbour of each pixel on, how many steps the brightness goes on as it began.

    A border of nothing stops every walk: it is neither brighter nor darker.
    """
    count = np.zeros(at.shape, np.int64)
    alive = np.arange(len(at))
    place = at + step
    for _ in range(_LONGEST):
        here = place[alive]
        alive = alive[sign[alive] * (flat[here + step] - flat[here]) > 0]
        if not len(alive):
            break
        place[alive] += step
        count[alive] += 1
    return count


def _edges(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the sideways gradient is strong and a ridge; only pixels with neighbours all round."""
    change = cv2.Sobel(grey, cv2.CV_64F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
    power = change * change
    power[power <= 2 * np.sqrt(power.mean())] = 0
    here = power[1:-1, 1:-1]
    ridge = (here > power[1:-1, :-2]) & (here > power[1:-1, 2:])
    ridge |= (here > power[:-2, 1:-1]) & (here > power[2:, 1:-1])
    found = np.zeros(grey.shape, np.bool_)
    found[1:-1, 1:-1] = ridge
    return found
