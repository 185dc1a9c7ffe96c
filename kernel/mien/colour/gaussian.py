"""Colours as a normal distribution, and the linear maps that take one to another.

Sources: Monge-Kantorovich, F. Pitié and A. Kokaram, "The linear Monge-Kantorovitch linear colour
mapping for example-based colour transfer", 2007; the others, and their names, as DeepFaceLab.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Image

Matrix3 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussian:
    """Mean (C,) and covariance (C, C) of some pixels; float64, in the units of the picture."""

    mean: NDArray[np.float64]
    covariance: Matrix3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """v' = matrix @ v + offset, for each pixel's C channels."""

    matrix: Matrix3
    offset: NDArray[np.float64]

    def __call__(self, image: Image) -> Image:
        """The picture (H, W, C) float32, moved; not clipped."""
        moved: Image = cv2.transform(image, np.column_stack((self.matrix, self.offset)))
        return moved.reshape(image.shape)


def measure(pixels: NDArray[Any]) -> Gaussian:
    """The normal distribution nearest to pixels (N, C).  Covariance is divided by N."""
    values = pixels.astype(np.float64)
    mean = values.mean(axis=0)
    values -= mean
    return Gaussian(mean=mean, covariance=values.T @ values / len(values))


def aim(linear: Matrix3, source: Gaussian, target: Gaussian) -> Affine:
    """The linear map with the offset that takes the source's mean to the target's."""
    return Affine(matrix=linear, offset=target.mean - linear @ source.mean)


def by_roots(source: Gaussian, target: Gaussian, ridge: float) -> Matrix3:
    """Root of the target's covariance after the inverse root of the source's; DeepFaceLab's "pca".

    ridge  added to all variances, so that a flat picture has an inverse
    """
    first, second = (_with_ridge(each, ridge) for each in (source, target))
    return _root(second) @ np.linalg.inv(_root(first))


def by_cholesky(source: Gaussian, target: Gaussian, ridge: float) -> Matrix3:
    """As `by_roots`, with lower triangular factors: depends on the order of the channels."""
    first, second = (_with_ridge(each, ridge) for each in (source, target))
    factors = np.linalg.cholesky(second) @ np.linalg.inv(np.linalg.cholesky(first))
    return factors.astype(np.float64, copy=False)


def by_transport(source: Gaussian, target: Gaussian, ridge: float) -> Matrix3:
    """The map that moves colours least of all that give the target's covariance."""
    first, second = (_with_ridge(each, ridge) for each in (source, target))
    return _transport(_root(first), second)


def by_floored_transport(source: Gaussian, target: Gaussian, floor: float) -> Matrix3:
    """As `by_transport`; variances of the source below `floor` are raised to it instead."""
    return _transport(_root(source.covariance, floor), target.covariance, floor)


def _with_ridge(gaussian: Gaussian, ridge: float) -> Matrix3:
    return gaussian.covariance + ridge * np.eye(len(gaussian.mean))


def _root(covariance: Matrix3, floor: float = 0.0) -> Matrix3:
    """The symmetric root; eigenvalues below `floor` count as `floor`."""
    values, vectors = np.linalg.eigh(covariance)
    made: Matrix3 = vectors * np.sqrt(np.maximum(values, floor)) @ vectors.T
    return made


def _transport(root: Matrix3, target: Matrix3, floor: float = 0.0) -> Matrix3:
    inverse = np.linalg.inv(root)
    made: Matrix3 = inverse @ _root(root @ target @ root, floor**2) @ inverse
    return made
