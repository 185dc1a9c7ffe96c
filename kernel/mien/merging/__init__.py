"""Puts swaps into their frame; all work happens inside the face's box.

    area = face_alpha(frame, face, swap, options)              (S, S, 1) in the swap's crop
    plate = plate_crop(frame, swap)                            (S, S, 3) what a colour transfer sees
    image = colour transfer of (swap.image, plate, area)
    placed = to_frame(frame, image, area, paste_matrix(swap, options), track=face.track)
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
from .placing import Placed, paste_matrix, plate_crop, to_frame

__all__ = [
    "Expression",
    "MergeOptions",
    "OptionsFor",
    "Placed",
    "always",
    "apply",
    "combined_mask",
    "face_alpha",
    "finish",
    "match_seen",
    "parse_mask",
    "paste_matrix",
    "place",
    "plate_crop",
    "to_frame",
]
