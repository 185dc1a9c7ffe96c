"""Faces of DeepFaceLab's: its polygons are labels here and go back as they came, and a masker sees
what its own tool would show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.cli import run_program
from mien.config import Config
from mien.faceset import decode_mask
from mien.jobs.label_files import export_labels, import_labels
from mien.jobs.labels import apply, fetch, label_status
from mien.jobs.run import Run, make_run
from mien.jobs.stored_masks import masked
from mien.labels import of_face, read_label
from mien.registry import Registry
from mien.stages import StageBase
from mien.types import CropSpec, FaceType

NAME = "face_00001_0.jpg"


@pytest.fixture
def run() -> Run:
    registry = Registry.installed()
    if registry.hook.mien_open_face_writer(form="dfl", folder=Path("x")) is None:
        pytest.skip("mien-dfl is not installed")
    return make_run("mask", registry, Config(registry))


@pytest.fixture
def theirs(shared: Callable[[str], Path], tmp_path: Path) -> Path:
    """One face with two polygons and a mask."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    shutil.copy(shared(f"golden/dfl-image/{NAME}"), folder)
    return folder


def test_their_polygons_are_labels_here(run, theirs):
    told = label_status(run, theirs)
    assert (told.faces, told.labelled, told.includes, told.excludes) == (1, 1, 1, 1)
    assert told.masks == {"xseg": 1}


def test_drawings_travel_there_and_back(run, theirs, tmp_path, shared):
    ours = tmp_path / "ours"
    assert fetch(run, theirs, ours).written == 1
    assert import_labels(run, ours, theirs).same == 1
    export_labels(run, ours, tmp_path / "labels", form="labels")
    first = read_label(tmp_path / "labels" / f"{NAME}.json")
    export_labels(run, ours, tmp_path / "back", form="dfl")
    faces = run.context.faceset(tmp_path / "back")
    again = of_face(faces.paths[0], faces.store.record(faces.paths[0]))
    assert first.plain() == again.plain()


def test_what_was_not_redrawn_goes_back_byte_for_byte(run, theirs, tmp_path):
    export_labels(run, theirs, tmp_path / "back", form="dfl")
    assert (tmp_path / "back" / NAME).read_bytes() == (theirs / NAME).read_bytes()


def test_their_faces_are_never_changed_in_place(theirs, capsys):
    before = (theirs / NAME).read_bytes()
    assert run_program(["mask", "apply", str(theirs)]) == 2
    assert "is another program's, which is never changed" in capsys.readouterr().err
    assert (theirs / NAME).read_bytes() == before


def test_apply_makes_a_faceset_of_ours_beside_it(run, theirs, tmp_path):
    assert apply(run, theirs, folder=tmp_path / "ours").written == 1
    told = label_status(run, tmp_path / "ours")
    assert told.masks == {"label": 1, "xseg": 1}


class StandIn(StageBase):
    """The net with which the golden masks were made."""

    def __init__(self, face_type: FaceType) -> None:
        self.spec = CropSpec(face_type=face_type, size=256)

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        found = [np.clip((crop.image.mean(-1, keepdims=True) - 0.25) * 3, 0, 1) for crop in batch]
        return [np.where(each < 0.1, 0, each).astype(np.float32) for each in found]


@pytest.mark.parametrize(("key", "kind"), [("same", None), ("f", "full"), ("head", "head")])
def test_a_masker_sees_the_crop_that_their_tool_shows(run, theirs, shared, key, kind):
    wanted = np.unpackbits(np.load(shared("golden/dfl-image/xseg_apply.npz"))[key])
    faces = run.context.faceset(theirs)
    path = faces.paths[0]
    face = faces.store.file(path)
    stage = StandIn(FaceType(kind) if kind else face.record.face_type)
    ((_, made),) = masked([(path, face)], stage, "found", [])
    found = decode_mask(made.record.masks["found"], 256)[..., 0] >= 0.5
    different = found != wanted.reshape(256, 256).astype(bool)
    # Pixels of the outline: it scales with Lanczos and rounds twice; here one warp does it all.
    assert different.sum() <= 700
