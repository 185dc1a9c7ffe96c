"""A stored face with all that is known of it drawn on it: for a look, never for further work.

green, red   points and crop, as in `mien.drawing`;  blue  the box, yellow  the way up
orange       the edges of stored masks; what the first one leaves out is darkened
green, red outlines of polygons: what somebody included, and excluded
"""

from __future__ import annotations

from types import MappingProxyType

import cv2
import numpy as np

from ..arrays import Image, Mask
from ..drawing import draw_faces
from ..errors import InputError
from ..faceset import FaceRecord, decode_mask
from ..geometry import transform, warp
from ..labels import Label, draw_label
from ..types import Face, FaceMask, FaceType, Frame

_ORANGE = (0, 140, 255)


def draw_record(
    image: Image, record: FaceRecord, side: int, face_type: FaceType, label: Label | None = None
) -> Image:
    """The crop at `side` pixels with its landmarks, box, masks, and the crop of `face_type`.

    image  (S, S, 3);  label  what was drawn on it.  Returns (side, side, 3) BGR uint8.
    Raises InputError where a stored mask is damaged.
    """
    moved = record.resized(side)
    scale = side / record.size
    # Between pixel centres, as `resized` counts.
    grow = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    masks = {name: decode_mask(png, side) for name, png in record.masks.items()}
    corners = transform(moved.matrix, np.reshape(np.array(record.box, np.float64), (2, 2)))
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    face = Face(
        box=(x0, y0, x1, y1),
        score=record.score,
        landmarks=moved.landmarks,
        track=record.track,
        masks=MappingProxyType(
            {name: FaceMask(mask=each, matrix=np.eye(2, 3)) for name, each in masks.items()}
        ),
    )
    frame = Frame(index=record.frame_index, image=warp(image, grow, side, cubic=True))
    try:
        drawn = draw_faces(frame, [face], face_type)
    except ValueError as error:  # the points lie on a line: they are what is to be seen
        raise InputError(f"its landmarks fit no head ({error})") from error
    for mask in masks.values():
        _draw_edge(drawn, mask)
    return draw_label(drawn, label)


def _draw_edge(image: Image, mask: Mask) -> None:
    inside = (mask[..., 0] > 0.5).astype(np.uint8)
    lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, lines, -1, _ORANGE, max(1, round(len(image) / 512)), cv2.LINE_AA)
