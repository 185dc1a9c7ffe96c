"""Figures from faces that the model never learned from: numbers that say when training is done.

All lie near 0 where the model is good, but for the identity, which lies near 1:

    source dssim, source mae   the source's face against what the net gives back, inside the mask
    target dssim, target mae   the same for the target
    error                      the four together, for judging progress
    landmarks                  how far the swap's points lie from the target's, in eye distances
    identity                   the swap's likeness to the source's person: the cosine of vectors
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import Image, Points, Vector, as_dtype, unit_vector
from ...errors import InputError, MienError
from ...geometry import align_unit, invert, make_crop, transform
from ...stages import AlignerStage, EmbedderStage, FaceQuery
from ...types import CropSpec, Detection, Face, Frame
from ..losses.similarity import structural

MEASURED = 32
"""Faces of each person that are measured at most."""
LOOKED_AT = 8
"""Swaps that the aligner and the embedder look at: their nets are slow beside a small model."""

_BOX = (-0.085, -0.415, 1.061, 1.185)
"""The box that a detector would give, in the unit space of the mean face."""
_EYES = 36, 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The stages of other plugins that look at swaps; None where there is none."""

    aligner: AlignerStage | None = None
    embedder: EmbedderStage | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """Faces of one person, as the model makes them again, with what they should be.

    made, wanted  (N, 3, S, S);  mask (N, 1, S, S)
    """

    made: Tensor
    wanted: Tensor
    mask: Tensor


def reconstruction(side: str, column: Column) -> dict[str, float]:
    """DSSIM and mean absolute error inside the mask, weighted by it."""
    inside = column.mask.expand_as(column.wanted)
    area = inside.sum().clamp(min=1e-6)
    maps = {
        "dssim": structural(column.made, column.wanted) / 2,
        "mae": (column.made - column.wanted).abs(),
    }
    return {
        f"{side} {name}": float((values * inside).sum() / area) for name, values in maps.items()
    }


def together(figures: Mapping[str, float]) -> float:
    """One number of the reconstruction figures, for judging progress."""
    parts = [value for name, value in figures.items() if name.endswith((" dssim", " mae"))]
    return sum(parts) / max(1, len(parts))


class Examiner:
    """Looks at swaps of held-out target faces with the stages of other plugins."""

    def __init__(
        self,
        probes: Probes,
        spec: CropSpec,
        source: Sequence[Points],
        target: Sequence[Points],
        say: Callable[[str], None],
    ) -> None:
        """source, target  landmarks of the held-out faces, pixels of the crops that `spec` says"""
        self._probes, self._spec, self._say = probes, spec, say
        self._source, self._target = source[:LOOKED_AT], target[:LOOKED_AT]
        self._open: list[Any] = []
        self._known: dict[str, Any] = {}

    def open(self) -> None:
        """Open the stages; one that cannot work is left out, and said."""
        for name in ("aligner", "embedder"):
            stage: Any = getattr(self._probes, name)
            if stage is None:
                continue
            try:
                if stage.window != (0, 0):
                    raise InputError("it looks at neighbouring frames, and faces have none")
                stage.open()
                self._open.append(stage)
            except MienError as error:
                self._say(f"held-out faces are measured without the {name}: {error}")

    def close(self) -> None:
        """Give the stages back."""
        for stage in self._open:
            stage.close()
        self._open.clear()

    def figures(
        self, source: Sequence[Image], target: Sequence[Image], swaps: Sequence[Image]
    ) -> dict[str, float]:
        """What the stages say.

        source, target, swaps  (S, S, 3) float32 BGR 0..1 in the model's crop, of the held-out faces
        """
        found = dict[str, float]()
        aligner, embedder = self._probes.aligner, self._probes.embedder
        if aligner in self._open and aligner is not None:
            found |= _named("landmarks", self._landmarks(aligner, target, swaps))
        if embedder in self._open and embedder is not None:
            found |= _named("identity", self._identity(embedder, source, swaps))
        return found

    def _landmarks(
        self, aligner: AlignerStage, target: Sequence[Image], swaps: Sequence[Image]
    ) -> list[float]:
        """Distances of the swap's points from those that the aligner sees in the target itself."""
        if "landmarks" not in self._known:
            pairs = zip(target, self._target, strict=False)
            self._known["landmarks"] = [self._aligned(aligner, *pair) for pair in pairs]
        found = [self._aligned(aligner, *pair) for pair in zip(swaps, self._target, strict=False)]
        wanted = self._known["landmarks"]
        return [_distance(one, other) for one, other in zip(found, wanted, strict=True)]

    def _identity(
        self, embedder: EmbedderStage, source: Sequence[Image], swaps: Sequence[Image]
    ) -> list[float]:
        """Cosines of the swaps' vectors with the mean vector of the source's faces."""
        if "identity" not in self._known:
            pairs = zip(source, self._source, strict=False)
            vectors = [unit_vector(self._vector(embedder, *pair)) for pair in pairs]
            self._known["identity"] = unit_vector(np.sum(vectors, axis=0))
        person = self._known["identity"]
        pairs = zip(swaps, self._target, strict=False)
        return [float(unit_vector(self._vector(embedder, *pair)) @ person) for pair in pairs]

    def _aligned(self, aligner: AlignerStage, image: Image, points: Points) -> Points:
        frame, near = _frame(image), _scaled(points, len(image) / self._spec.size)
        query = FaceQuery(frame=frame, detection=Detection(box=_box(near), score=1.0))
        return aligner([query])[0].points

    def _vector(self, embedder: EmbedderStage, image: Image, points: Points) -> Vector:
        near = _scaled(points, len(image) / self._spec.size)
        face = Face(box=_box(near), landmarks=near)
        return embedder([make_crop(_frame(image), face, embedder.spec)])[0]


def _scaled(points: Points, ratio: float) -> Points:
    """Points of a crop in the same crop at another size; pixel centres lie at whole numbers."""
    return ((points + 0.5) * ratio - 0.5).astype(np.float32)


def _frame(image: Image) -> Frame:
    return Frame(index=0, image=as_dtype(image, np.uint8))


def _box(points: Points) -> tuple[float, float, float, float]:
    back = invert(align_unit(points))
    u0, v0, u1, v1 = _BOX
    corners = transform(back, np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)], np.float64))
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    return x0, y0, x1, y1


def _distance(one: Points, other: Points) -> float:
    """Mean distance of two faces' points, in distances of the outer corners of the eyes."""
    left, right = _EYES
    eyes = max(float(np.linalg.norm(other[left] - other[right])), 1e-6)
    return float(np.linalg.norm(one - other, axis=1).mean()) / eyes


def _named(name: str, values: Sequence[float]) -> dict[str, float]:
    return {name: float(np.mean(values))} if values else {}


def to_tensor(images: Sequence[Image]) -> Tensor:
    """Pictures (S, S, 3) as (N, 3, S, S)."""
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
