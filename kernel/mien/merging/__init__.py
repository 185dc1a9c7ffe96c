"""Puts swaps into their frame; all work happens inside the face's box.

    area = face_alpha(frame, face, swap, options)              (S, S, 1) in the swap's crop
    swap = replace(swap, alpha=area)
    swap = recoloured(swap, colour transfer of color_pair(frame, swap))
    placed = to_frame(frame, swap.image, area, paste_matrix(swap, options), track=face.track)
    blended = blend stage of placed.pair
    frame = apply(frame, [(placed, blended), ...])             all faces of the frame, in order

`place` and `finish` do the same with all of a user's controls; `steps` makes it a line of work.
Pixels where alpha is 0 stay bit-identical in every dtype.  Loads cv2 with the first picture.
"""

from __future__ import annotations

from .expressions import Expression, parse_mask
from .face import finish, place
from .histogram import match_seen
from .masks import combined_mask, face_alpha
from .mixing import apply
from .options import MergeOptions, OptionsFor, always
from .placing import (
    Placed,
    color_pair,
    paste_matrix,
    plate_crop,
    recoloured,
    seen_part,
    to_frame,
)

__all__ = [
    "Expression",
    "MergeOptions",
    "OptionsFor",
    "Placed",
    "always",
    "apply",
    "color_pair",
    "combined_mask",
    "face_alpha",
    "finish",
    "match_seen",
    "parse_mask",
    "paste_matrix",
    "place",
    "plate_crop",
    "recoloured",
    "seen_part",
    "to_frame",
]
