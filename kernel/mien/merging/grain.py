"""Grain: the plate's noise is measured, and the new face given what it lacks of it.

Noise is measured as a spectrum, not as one figure, so that coarse film grain stays coarse and the
blocky noise of a compressed clip is not answered with salt and pepper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Image, Mask

_SIDE = 16  # of the patches in which noise is measured
_STEP = 8
_FLATTEST, _FEWEST = 160, 8
_SLOWEST = 1.5 / _SIDE  # cycles per pixel; below it lie shade and features, not grain
_LUMA = np.array([[0.114, 0.587, 0.299], [-0.0813, -0.4187, 0.5], [0.5, -0.3313, -0.1687]])
_BACK = np.linalg.inv(_LUMA)

Spectrum = NDArray[np.float64]


def noise_spectrum(image: Image, counted: NDArray[np.bool_]) -> Spectrum | None:
    """Variance of the noise by frequency, in luma and two colour differences.

    image  (h, w, 3) float32 BGR 0..1;  counted  (h, w), pixels that may be measured
    Returns (3, 16, 16), frequencies as `np.fft.fft2` orders them, or None where there is too
    little to measure.  White noise of variance v gives v everywhere.
    """
    patches = _flat_patches(image, counted)
    if patches is None:
        return None
    bell = np.hanning(_SIDE + 2)[1:-1]
    window = np.outer(bell, bell)
    patches = patches - patches.mean((2, 3), keepdims=True)
    power = np.abs(np.fft.fft2(patches * window)) ** 2 / np.square(window).sum()
    # The power of noise falls off exponentially: its median is ln 2 of its mean, and unlike the
    # mean does not care about the few patches that show a feature.
    spectrum: Spectrum = np.median(power, axis=0) / np.log(2)
    along = np.fft.fftfreq(_SIDE)
    spectrum[:, np.hypot(along[:, None], along) < _SLOWEST] = 0
    return spectrum


def add_grain(
    image: Image, plate: Image, alpha: Mask, share: float, rng: np.random.Generator
) -> Image:
    """The picture with the grain that the plate has and it lacks.

    image, plate  (h, w, 3) float32 BGR 0..1;  alpha  (h, w, 1), where `image` is seen
    share  1 adds all that is missing, 2 twice as much;  rng  differs from frame to frame
    """
    import cv2

    wanted = noise_spectrum(plate, np.ones(plate.shape[:2], dtype=bool))
    had = noise_spectrum(image, alpha[..., 0] > 0.5)
    if wanted is None or had is None:
        return image
    missing = np.sqrt(np.maximum(wanted - had, 0)) * share
    if not missing.any():
        return image
    white = rng.standard_normal((3, *image.shape[:2]), dtype=np.float32)
    kernels = np.fft.fftshift(np.fft.ifft2(missing).real, axes=(1, 2))
    grain = cv2.merge(
        [
            cv2.filter2D(noise, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT)
            for noise, kernel in zip(white, kernels, strict=True)
        ]
    )
    return np.clip(image + cv2.transform(grain, _BACK.astype(np.float32)), 0, 1)


def _flat_patches(image: Image, counted: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """The patches with the least structure at a quarter of the size.  # (N, 3, 16, 16)"""
    import cv2

    height, width = (side // 4 * 4 for side in image.shape[:2])
    if min(height, width) < _SIDE:
        return None
    quarter = cv2.resize(
        cv2.cvtColor(image[:height, :width], cv2.COLOR_BGR2GRAY),
        (width // 4, height // 4),
        interpolation=cv2.INTER_AREA,
    )
    side, step = _SIDE // 4, _STEP // 4
    corners = np.lib.stride_tricks.sliding_window_view(quarter, (side, side))[::step, ::step]
    usable = np.lib.stride_tricks.sliding_window_view(
        counted[:height, :width][::4, ::4], (side, side)
    )[::step, ::step].all((2, 3))
    mean = corners.mean((2, 3))
    usable &= (mean > 0.03) & (mean < 0.97)  # clipped pixels show less noise than there is
    structure = np.where(usable, corners.std((2, 3)), np.inf).ravel()
    order = np.argsort(structure, kind="stable")[: min(_FLATTEST, max(int(usable.sum()) // 3, 1))]
    order = order[np.isfinite(structure[order])]
    if len(order) < _FEWEST:
        return None
    rows, columns = np.unravel_index(order, corners.shape[:2])
    luma = cv2.transform(image[:height, :width], _LUMA.astype(np.float32))
    found = [
        luma[y : y + _SIDE, x : x + _SIDE].transpose(2, 0, 1)
        for y, x in zip(rows * _STEP, columns * _STEP, strict=True)
    ]
    return np.stack(found)
