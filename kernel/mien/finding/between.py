"""Faces of a frame from the frames around it, where nothing new can have appeared.

Faces move little from frame to frame.  Where two frames show the same faces at nearly the same
places, and the picture between them changes no more than it does from one to the other, the faces
between them are known without a look; an aligner finds their points from these boxes as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, as_float
from ..geometry.boxes import overlap
from ..types import Detection

Glance: TypeAlias = NDArray[np.float32]

NEAR = 0.6
"""Boxes of one face in the two frames share at least this."""

BLOCKS = (32, 18)
"""Parts of the picture that are compared, across and down."""

MORE, NOISE = 0.5, 0.05
"""How far a part may lie from what lies between the two frames: this much of their difference,
and this much of the range besides."""

FEW = 1
"""Parts that may lie further off: a fingertip, an eyelid.  A face that can be found covers more."""


def glance(image: Image) -> Glance:
    """A copy of BLOCKS pixels (18, 32, 3), 0..1."""
    import cv2

    rows = image[:: max(1, image.shape[0] // 180)]
    return as_float(cv2.resize(rows, BLOCKS, interpolation=cv2.INTER_AREA))


def is_between(before: Glance, now: Glance, after: Glance, part: float) -> bool:
    """Whether the picture shows nothing that neither of the frames around it shows.

    part  how far `now` lies on the way from `before` to `after`, 0..1
    """
    expected = before + (after - before) * np.float32(part)
    allowed = MORE * np.abs(after - before) + NOISE
    strange = (np.abs(now - expected) > allowed).any(axis=-1)
    return int(np.count_nonzero(strange)) <= FEW


def carried(
    before: Sequence[Detection], after: Sequence[Detection], part: float
) -> list[Detection] | None:
    """The faces between two frames; None where the two do not show the same ones."""
    if len(before) != len(after):
        return None
    left, faces = list(after), []
    for first in before:
        best = max(left, key=lambda one: overlap(first.box, one.box), default=None)
        if best is None or not _same(first, best):
            return None
        left.remove(best)
        faces.append(_mixed(first, best, part))
    return faces


def _same(first: Detection, second: Detection) -> bool:
    return (
        overlap(first.box, second.box) >= NEAR
        and first.roll == second.roll
        and (first.points5 is None) == (second.points5 is None)
    )


def _mixed(first: Detection, second: Detection, part: float) -> Detection:
    def mix(one: Any, other: Any) -> Any:
        return one + (other - one) * part

    points = None
    if first.points5 is not None and second.points5 is not None:
        points = mix(first.points5, second.points5).astype(np.float32)
    left, top, right, bottom = (mix(*edges) for edges in zip(first.box, second.box, strict=True))
    return Detection(
        box=(left, top, right, bottom),
        score=min(first.score, second.score),
        points5=points,
        roll=first.roll,
    )
