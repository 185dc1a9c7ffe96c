"""The steps of finding, in their order, as the options ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..runner import Step
from .align import AlignStep, careful
from .detect import DetectStep
from .identity import EmbedStep, WantedStep
from .options import FindOptions
from .smooth import SmoothStep
from .tracks import Recall, TrackStep

if TYPE_CHECKING:
    import numpy as np

    from ..arrays import Vector
    from ..stages import AlignerStage, DetectorStage, EmbedderStage


def find_faces(
    detectors: Sequence[DetectorStage],
    aligner: AlignerStage,
    options: FindOptions,
    rng: Callable[..., np.random.Generator],
    *,
    embedder: EmbedderStage | None = None,
    keep: Sequence[Vector] = (),
    drop: Sequence[Vector] = (),
) -> list[Step]:
    """Frames into packets of aligned faces.

    rng         makes a generator from names, as `Context.rng`
    keep, drop  identities of the people who are wanted, and of those who are not
    """
    steps = [
        Step(name="detect", stage=DetectStep(detectors, options)),
        Step(name="align", stage=AlignStep(careful(aligner, options, rng), options)),
    ]
    if embedder is not None:
        steps.append(Step(name="identify", stage=EmbedStep(embedder)))
    if keep or drop:
        steps.append(Step(name="want", stage=WantedStep(keep, drop, options.same_person)))
    return steps


def follow_faces(options: FindOptions, recall: Recall | None = None) -> list[Step]:
    """Packets with shots and tracks, and steadier points where the options ask for it."""
    steps: list[Step] = []
    if options.tracks:
        steps.append(Step(name="track", stage=TrackStep(options, recall)))
    if options.smooth:
        steps.append(Step(name="smooth", stage=SmoothStep(options.smooth)))
    return steps
