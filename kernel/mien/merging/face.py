"""One face on its way into the frame: the controls of the options, in their order.

In the swap's crop, before the only resampling: contrast and light, sharpening.  In the frame's
box, where a camera's faults have their size: motion blur, denoising, loss of resolution; and after
the blend: colours, grain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Image, Matrix, as_dtype, as_float
from ..geometry import compose, crop_matrix, invert, take_crop, transform, warp
from ..stages import Blended, BlendPair
from ..types import Crop, CropSpec, Face, Frame, Swap, replace
from . import finishing
from .grain import add_grain
from .light import match_light
from .motion import blur_along
from .options import MergeOptions
from .placing import Placed, paste_matrix, plate_crop, to_frame


def place(
    frame: Frame,
    swap: Swap,
    options: MergeOptions,
    *,
    track: int = -1,
    way: tuple[float, float] = (0.0, 0.0),
    whole: bool = False,
) -> Placed:
    """A swap with its alpha, finished as the options say, where it belongs in the frame.

    way    how the face moves from the frame before to the one after, frame pixels
    whole  all of the crop is shown, whatever the alpha says
    """
    assert swap.alpha is not None
    alpha = np.ones_like(swap.alpha) if whole else swap.alpha
    image = _in_the_crop(frame, swap, options)
    placed = to_frame(frame, image, alpha, paste_matrix(swap, options), track=track)
    if placed.is_empty or not (options.motion_blur or options.denoise or options.degrade):
        return placed
    share = options.motion_blur / 100
    seen = blur_along(placed.pair.swap, (way[0] * share, way[1] * share))
    seen = finishing.median_soften(seen, options.denoise, 100, 100)
    seen = finishing.lose_resolution(seen, options.degrade)
    return replace(placed, pair=replace(placed.pair, swap=np.clip(seen, 0, 1)))


def finish(
    blended: Blended, pair: BlendPair, options: MergeOptions, rng: np.random.Generator
) -> Blended:
    """A blended face with fewer colours and the plate's grain, as the options say."""
    image = finishing.few_colours(blended.image, blended.alpha[..., 0] > 0, options.color_degrade)
    if options.grain:
        image = add_grain(image, pair.plate, blended.alpha, options.grain / 100, rng)
    return Blended(image=image, alpha=blended.alpha)


def _in_the_crop(frame: Frame, swap: Swap, options: MergeOptions) -> Image:
    image = swap.image
    if options.light or options.contrast:
        assert swap.alpha is not None
        image = match_light(
            image, plate_crop(frame, swap), swap.alpha, options.light / 100, options.contrast / 100
        )
    if options.sharpen:
        image = finishing.sharpen(
            image, options.sharpen_mode, options.sharpen, 2 * options.sharpen_radius + 1
        )
    return image


def sharper_crop(crop: Crop, amount: float) -> Crop:
    """What the model is to see, sharpened by the gaussian formula, within the crop's own range."""
    spec = crop.spec
    low, high = (0.0, 1.0) if spec.dtype == "uint8" else (spec.low, spec.high)
    made = finishing.sharpen(np.ascontiguousarray(as_float(crop.image)), "gaussian", amount)
    return replace(crop, image=as_dtype(np.clip(made, low, high), crop.image.dtype))


def seen_with_swap(frame: Frame, face: Face, swap: Swap, spec: CropSpec) -> Crop:
    """The new face on its plate, as a plugin with this crop spec would see it."""
    assert face.landmarks is not None
    matrix = crop_matrix(face.landmarks, spec.face_type, spec.size, spec.scale)
    plate = take_crop(frame.image, matrix, CropSpec(size=spec.size))
    back = compose(invert(swap.matrix), matrix)
    new = np.clip(warp(swap.image, back, spec.size, cubic=True, border="replicate"), 0, 1)
    cover = warp(np.ones((*swap.image.shape[:2], 1), np.float32), back, spec.size)
    mixed = np.where(cover > 0.999, new, plate)
    return Crop(
        image=take_crop(mixed, _SAME, spec),
        matrix=matrix,
        landmarks=transform(matrix, face.landmarks),
        spec=spec,
        face=face,
        frame_index=frame.index,
    )


def patch(frame: Frame, faces: Sequence[tuple[Face, Swap]], side: int) -> Frame:
    """The crop of the largest new face in place of the frame; black where there is none."""
    import cv2

    image: Image = np.zeros((side, side, 3), np.float32)
    if faces:
        _, swap = max(faces, key=lambda each: each[0].box[2] - each[0].box[0])
        image = swap.image
        if image.shape[0] != side:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return replace(frame, image=as_dtype(np.clip(image, 0, 1), frame.image.dtype))


_SAME: Matrix = np.array([[1.0, 0, 0], [0, 1.0, 0]])
