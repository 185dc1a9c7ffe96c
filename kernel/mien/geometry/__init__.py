"""Where a face lies: landmarks to affine, affine to crop, and back into the frame.

Points are (x, y) with (0, 0) at the centre of the top-left pixel, as everywhere.  A crop of `size`
pixels is the square whose corners have the crop coordinates (0, 0) and (size, size): the
convention of DeepFaceLab, kept because every faceset and model in use was made with it.  A crop of
half the size is therefore not the `resize` of the larger one (that would be half a pixel off);
always go through the matrices, which know it.

    matrix = crop_matrix(face.landmarks, FaceType.WHOLE, 256)      frame -> crop
    crop = warp(frame.image, matrix, 256)
    back = warp(crop, invert(matrix), (width, height), cubic=True)

Importing this package loads numpy only; cv2 comes with the first warp.
"""

from __future__ import annotations

from .affine import align_unit, compose, crop_matrix, face_box, invert, transform
from .crops import crop_to_bgr, make_crop, take_crop, warp
from .hull import expand_brows, feature_mask, fill_parts, hull_mask
from .points import Pose, averaged_yaw, lm98_to_68, mirror, pose
from .squares import level_of_five, square_matrix, unit
from .tables import FIT_POINTS, HEAD_MODEL, MEAN_FACE, PADDING

__all__ = [
    "FIT_POINTS",
    "HEAD_MODEL",
    "MEAN_FACE",
    "PADDING",
    "Pose",
    "align_unit",
    "averaged_yaw",
    "compose",
    "crop_matrix",
    "crop_to_bgr",
    "expand_brows",
    "face_box",
    "feature_mask",
    "fill_parts",
    "hull_mask",
    "invert",
    "level_of_five",
    "lm98_to_68",
    "make_crop",
    "mirror",
    "pose",
    "square_matrix",
    "take_crop",
    "transform",
    "unit",
    "warp",
]
