"""Laplace's equation on an irregular piece of a picture, by multigrid."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Piece = NDArray[np.bool_]

_DAMP = 0.8  # of a Jacobi step, where it removes the finest errors best
_STEP = _DAMP * np.array([[0, 0.25, 0], [0.25, -1, 0.25], [0, 0.25, 0]], dtype=np.float32)
_COARSEST = 4
_COARSE_SWEEPS = 32
_CYCLES = 2  # at each size: brings the error to a fraction of a grey level


def membrane(known: Field, inside: Piece) -> Field:
    """The field that is `known` outside and harmonic inside; the picture's edge is free.

    known   (h, w, 3) float32;  inside  (h, w), somewhere False.  Returns (h, w, 3).
    """
    height, width = inside.shape
    halvings = max(int(np.log2(min(height, width) / _COARSEST)), 0)
    down, right = -height % 2**halvings, -width % 2**halvings
    padded = cv2.copyMakeBorder(known, 0, down, 0, right, cv2.BORDER_REPLICATE)
    piece = cv2.copyMakeBorder(inside.view(np.uint8), 0, down, 0, right, cv2.BORDER_REPLICATE)
    field = _solved(padded, np.asarray(piece).view(np.bool_), halvings)
    return field[:height, :width]


def _solved(known: Any, inside: Piece, halvings: int) -> Field:
    """From coarse to fine: each size begins with what the one below it found."""
    if not inside.any():
        return np.asarray(known)
    if halvings == 0:
        return _relaxed(_filled(known, inside), None, _weights(inside), _COARSE_SWEEPS)
    coarse_known, coarse_inside = _coarser(known, inside)
    if coarse_inside.all():
        field = _filled(known, inside)
    else:
        coarse = _solved(coarse_known, coarse_inside, halvings - 1)
        field = known.copy()
        cv2.copyTo(_twice(coarse), inside.view(np.uint8), field)
    pieces = _pieces(inside, halvings)
    for _ in range(_CYCLES):
        field = _cycle(field, None, pieces)
    return field


def _cycle(field: Field, aim: Field | None, pieces: list[Field]) -> Field:
    """One V-cycle for step(field) = aim inside the first piece; works in place."""
    weights = pieces[0]
    if len(pieces) == 1:
        return _relaxed(field, aim, weights, _COARSE_SWEEPS)
    field = _relaxed(field, aim, weights, 1)
    left = _change(field, aim, weights)
    # A second difference is four times as large on the pixels of the coarser grid.
    less = _half(left)
    less *= np.float32(-4)
    correction = _cycle(np.zeros_like(less), less, pieces[1:])
    step = _twice(correction)
    step *= weights
    field += step
    return _relaxed(field, aim, weights, 2)


def _relaxed(field: Field, aim: Field | None, weights: Field, sweeps: int) -> Field:
    for _ in range(sweeps):
        field += _change(field, aim, weights)
    return field


def _change(field: Field, aim: Field | None, weights: Field) -> Field:
    """What a damped Jacobi step adds: the damped residual, 0 outside."""
    step: Any = cv2.filter2D(field, -1, _STEP, borderType=cv2.BORDER_REPLICATE)
    if aim is not None:
        step -= aim
    step *= weights
    return np.asarray(step)


def _pieces(inside: Piece, halvings: int) -> list[Field]:
    """The weights of each size of the grid, finest first; a coarse pixel counts where all of its
    four do."""
    found = [_weights(inside)]
    for _ in range(halvings):
        both = inside[::2] & inside[1::2]
        inside = np.ascontiguousarray(both[:, ::2] & both[:, 1::2])
        if not inside.any():
            break
        found.append(_weights(inside))
    return found


def _weights(inside: Piece) -> Field:
    weights: Any = cv2.cvtColor(inside.view(np.uint8), cv2.COLOR_GRAY2BGR)
    return np.asarray(weights, dtype=np.float32)


def _coarser(known: Field, inside: Piece) -> tuple[Field, Piece]:
    """Half the size: a pixel is known where one of its four is, as the mean of those."""
    weight = (~inside).astype(np.float32)
    total = _half(weight)
    some = _half(known * cv2.cvtColor(weight, cv2.COLOR_GRAY2BGR))
    some /= cv2.cvtColor(np.maximum(total, np.float32(1e-6)), cv2.COLOR_GRAY2BGR)
    return some, total == 0


def _half(field: Any) -> Any:
    return cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _twice(field: Any) -> Any:
    return cv2.resize(field, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)


def _filled(known: Field, inside: Piece) -> Field:
    """The mean of what is known, inside."""
    mean = known[~inside].mean(0)
    return np.where(inside[..., None], mean, known).astype(np.float32)
