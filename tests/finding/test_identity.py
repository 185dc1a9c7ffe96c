"""Who a face is and whether that person is wanted, with a plugin that tells people by colour."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mien.finding.identity import EmbedStep, WantedStep
from mien.hooks import hookimpl
from mien.stages import Context, EmbedderProvider, NoOptions, StageBase
from mien.testing import EmbedderConformance, face_at
from mien.types import Crop, CropSpec, Face, FaceType, Frame, Packet, replace

RED, BLUE = (20, 20, 220), (220, 20, 20)


class MeanColour(StageBase):
    """The mean colour of the crop stands in for a person."""

    batch_size = 3
    spec = CropSpec(face_type=FaceType.HALF, size=16)

    def __call__(self, batch: Sequence[Crop], /) -> list[Any]:
        return [np.float32(crop.image.mean(axis=(0, 1)) + 0.01) * 7 for crop in batch]


def create(options: NoOptions, context: Context) -> MeanColour:
    return MeanColour()


@hookimpl
def mien_embedders() -> Any:
    yield EmbedderProvider(name="colour", summary="Tells people by colour", create=create)


class TestTheFixture(EmbedderConformance):
    plugin = ModuleType("mien")
    plugin.mien_embedders = mien_embedders
    name = "colour"


def packet(*colours: tuple[int, int, int]) -> Packet:
    image = np.zeros((60, 60 * len(colours), 3), np.uint8)
    faces = []
    for number, colour in enumerate(colours):
        image[:, 60 * number : 60 * number + 60] = colour
        faces.append(face_at(60 * number + 30, 30, 30))
    return Packet(frame=Frame(index=0, image=image), faces=tuple(faces))


def known(*colours: tuple[int, int, int]) -> Packet:
    (found,) = EmbedStep(MeanColour())([packet(*colours)])
    return found


def test_identities_are_unit_vectors_and_asked_for_once():
    found = known(RED, BLUE)
    for face in found.faces:
        assert np.linalg.norm(face.identity) == pytest.approx(1)
    (again,) = EmbedStep(MeanColour())([found])
    assert again.faces == found.faces


def test_only_wanted_people_stay():
    crowd = known(RED, BLUE, RED)
    red, blue = crowd.faces[0].identity, crowd.faces[1].identity

    def left(keep: Sequence[Any] = (), drop: Sequence[Any] = ()) -> list[float]:
        (found,) = WantedStep(keep, drop, 0.9)([crowd])
        return [face.box[0] for face in found.faces]

    places = [face.box[0] for face in crowd.faces]
    assert left(keep=[red]) == [places[0], places[2]]
    assert left(drop=[red]) == [places[1]]
    assert left(keep=[red, blue]) == places
    assert left(keep=[red], drop=[red]) == []


def test_a_face_that_nobody_looked_at_is_kept_unless_somebody_is_wanted():
    unknown = replace(known(RED), faces=(Face(box=(0, 0, 9, 9)),))
    red = known(RED).faces[0].identity
    assert len(WantedStep((), [red], 0.6)([unknown])[0].faces) == 1
    assert len(WantedStep([red], (), 0.6)([unknown])[0].faces) == 0
