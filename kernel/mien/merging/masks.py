"""What is shown of a swap: masks by name, combined, with the edge that the options ask for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from ..errors import ConfigError
from ..geometry import compose, hull_mask, invert, transform, warp
from ..options import nearest
from ..types import Face, Frame, Swap
from .edges import fade_at_picture_edge, firm, kernels, move_sides, soften
from .expressions import parse_mask
from .options import MergeOptions

_BROW = 1.5  # at DeepFaceLab's 1 the soft edge runs through the eyebrows


def face_alpha(frame: Frame, face: Face, swap: Swap, options: MergeOptions) -> Mask:
    """How much of the swap shall be seen: (S, S, 1) float32 0..1, in its crop.

    Falls to 0 at the crop's edges, and where the crop leaves the picture.  With `mask = "auto"`
    it is the model's own mask times the stored ones (times the model's mask of the target where
    none is stored), or the hull of the landmarks where there is none at all.
    Raises ConfigError where `options.mask` names a mask that this face does not have.
    """
    size = swap.image.shape[0]
    mask = firm(combined_mask(face, swap, options.mask), options.mask_threshold / 100)
    mask = move_sides(mask, *options.sides_in(size))
    blur = kernels(options.blur_in(size), options.blur_kind, options.blur_passes)
    mask = soften(mask, options.erode_in(size), blur, options.blur_kind)
    return fade_at_picture_edge(mask, swap.matrix, frame.image.shape)[..., None]


def combined_mask(face: Face, swap: Swap, text: str) -> NDArray[np.float32]:
    """The masks that an expression names, in the swap's crop, before their edge.  # (S, S)"""
    size = swap.image.shape[0]
    value = parse_mask(text).value(lambda name: _one_mask(face, swap, name))
    whole = np.ascontiguousarray(np.broadcast_to(value, (size, size)))
    if not np.isfinite(whole.sum()):  # a net that fails gives NaN: nothing is shown there
        whole = np.nan_to_num(whole, posinf=0, neginf=0)
    return whole


def _one_mask(face: Face, swap: Swap, name: str) -> NDArray[np.float32]:
    size = swap.image.shape[0]
    if name == "full":
        return np.ones((size, size), dtype=np.float32)
    if name == "auto":
        return combined_mask(face, swap, _auto(face, swap))
    if name in swap.masks:
        return swap.masks[name][..., 0]
    if name in face.masks:
        stored = face.masks[name]
        return warp(stored.mask, compose(invert(stored.matrix), swap.matrix), size)[..., 0]
    if name == "hull" and face.landmarks is not None:
        return hull_mask(transform(swap.matrix, face.landmarks), size, _BROW)[..., 0]
    if name == "hull":
        raise ConfigError("merge.mask: 'hull' needs landmarks, and a face has none: use an aligner")
    known = ("full", "hull", *swap.masks, *face.masks)
    raise ConfigError(f"merge.mask: no mask '{name}' here{nearest(name, known)}")


def _auto(face: Face, swap: Swap) -> str:
    learned = [name for name in ("swap",) if name in swap.masks]
    stored = list(face.masks) or [name for name in ("target",) if name in swap.masks]
    return "*".join(learned + stored) or "hull"
