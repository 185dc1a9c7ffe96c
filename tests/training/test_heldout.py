"""Figures of held-out faces: known by hand, and left out where a stage cannot give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from mien.arrays import Image, Vector
from mien.errors import WeightsError
from mien.stages import FaceQuery, StageBase
from mien.testing.fakes import face_at, picture
from mien.training.show.heldout import Column, Examiner, Probes, reconstruction, together
from mien.types import Crop, CropSpec, Landmarks

SPEC = CropSpec(size=64)
POINTS = face_at(32, 32, 30).landmarks


def column(made: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> Column:
    return Column(made=made, wanted=wanted, mask=mask)


def test_only_what_lies_inside_the_mask_counts() -> None:
    wanted = torch.full((2, 3, 32, 32), 0.5)
    made = wanted.clone()
    made[..., 16:] += 0.25
    left, whole = torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32)
    left[..., :8] = 1
    figures = reconstruction("source", column(made, wanted, left))
    assert figures == {"source dssim": pytest.approx(0, abs=1e-6), "source mae": 0}
    figures = reconstruction("source", column(made, wanted, whole))
    assert figures["source mae"] == pytest.approx(0.125)
    right = 1 - left
    figures = reconstruction("source", column(made, wanted, right))
    assert figures["source mae"] == pytest.approx(0.25 * 16 / 24)


def test_a_picture_against_itself_has_no_error_and_against_noise_a_large_one() -> None:
    noise = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(2, 1, 32, 32)
    same = reconstruction("target", column(noise, noise, mask))
    other = reconstruction("target", column(noise.flip(3), noise, mask))
    assert same["target dssim"] == pytest.approx(0, abs=1e-6)
    assert 0.4 < other["target dssim"] < 0.6


def test_an_empty_mask_gives_no_figure_that_is_no_number() -> None:
    faces = torch.zeros(1, 3, 32, 32)
    figures = reconstruction("source", column(faces, faces + 1, torch.zeros(1, 1, 32, 32)))
    assert all(np.isfinite(value) for value in figures.values())


def test_the_error_is_the_mean_of_the_reconstructions() -> None:
    figures = {"source dssim": 0.1, "source mae": 0.2, "landmarks": 9.0, "identity": 1.0}
    assert together(figures) == pytest.approx(0.15)


# --- other plugins' stages ----------------------------------------------------------------------


class SeesShift(StageBase):
    """Tells the landmarks of its boxes' middle, moved by what the picture's brightness says."""

    opened = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.opened -= 1

    def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
        shifts = [float(query.frame.image.mean()) / 255 * 10 for query in batch]
        return [Landmarks(points=(POINTS + shift).astype(np.float32)) for shift in shifts]


class SeesColour(StageBase):
    """The mean colour of a crop is who it is."""

    spec = CropSpec(size=16)

    def __call__(self, batch: Sequence[Crop], /) -> list[Vector]:
        return [crop.image.mean((0, 1)).astype(np.float32) for crop in batch]


def flat(*colour: float) -> Image:
    return np.full((64, 64, 3), colour, np.float32)


def examine(probes: Probes, said: list[str], swap: Image) -> dict[str, float]:
    examiner = Examiner(probes, SPEC, [POINTS] * 3, [POINTS] * 3, said.append)
    examiner.open()
    try:
        return examiner.figures([flat(1, 0, 0)] * 3, [flat(0.2, 0.2, 0.2)] * 3, [swap] * 3)
    finally:
        examiner.close()


def test_landmarks_are_compared_with_what_the_aligner_sees_in_the_target() -> None:
    stage, said = SeesShift(), list[str]()
    probes = Probes(aligner=stage)
    assert examine(probes, said, flat(0.2, 0.2, 0.2)) == {"landmarks": 0}
    eyes = float(np.linalg.norm(POINTS[45] - POINTS[36]))
    moved = examine(probes, said, flat(0.4, 0.4, 0.4))["landmarks"]
    assert moved == pytest.approx(2 * np.sqrt(2) / eyes, rel=0.02)
    assert stage.opened == 0
    assert not said


def test_identity_is_the_cosine_with_the_sources_person() -> None:
    probes = Probes(embedder=SeesColour())
    assert examine(probes, [], flat(0.5, 0, 0))["identity"] == pytest.approx(1, abs=1e-5)
    assert examine(probes, [], flat(0, 0.5, 0))["identity"] == pytest.approx(0, abs=1e-5)
    half = examine(probes, [], flat(0.5, 0.5, 0))["identity"]
    assert half == pytest.approx(np.sqrt(0.5), abs=1e-2)


def test_nothing_is_measured_with_nothing() -> None:
    assert examine(Probes(), [], flat(0, 0, 0)) == {}


def test_a_stage_that_cannot_be_opened_is_left_out_and_said() -> None:
    class Missing(SeesShift):
        def open(self) -> None:
            raise WeightsError("no weights here")

    said = list[str]()
    probes: Any = Probes(aligner=Missing(), embedder=SeesColour())
    assert list(examine(probes, said, flat(0.5, 0, 0))) == ["identity"]
    assert said == ["held-out faces are measured without the aligner: no weights here"]


def test_an_aligner_of_clips_is_left_out() -> None:
    class Looks(SeesShift):
        window = (1, 1)

    said = list[str]()
    assert examine(Probes(aligner=Looks()), said, flat(0, 0, 0)) == {}
    assert said == [
        "held-out faces are measured without the aligner: it looks at neighbouring frames, and "
        "faces have none"
    ]


def test_faces_of_another_size_than_the_crop_are_looked_at_in_the_same_place() -> None:
    seen = list[FaceQuery]()

    class Notes(SeesShift):
        def __call__(self, batch: Sequence[FaceQuery], /) -> list[Landmarks]:
            seen.extend(batch)
            return super().__call__(batch)

    examiner = Examiner(Probes(aligner=Notes()), SPEC, [], [POINTS], lambda text: None)
    examiner.open()
    for size in (64, 128):
        image = picture(size, size).astype(np.float32) / 255
        examiner.figures([], [image], [image])
    small, _, large = (np.array(query.detection.box) for query in seen)
    np.testing.assert_allclose((small + 0.5) * 2, large + 0.5, atol=1e-4)
    x0, y0, x1, y1 = small
    assert x0 < POINTS[17:, 0].min() < POINTS[17:, 0].max() < x1
    assert y0 < POINTS[:, 1].min() < POINTS[:, 1].max() < y1 + 1
