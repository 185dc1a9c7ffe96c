"""A face at another size, or as another face type, is what DeepFaceLab's resizer makes of it."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from mien.errors import InputError
from mien.faceset import Faceset, decode_mask, read_face
from mien.geometry import warp
from mien.jobs.faces_files import resized
from mien.registry import Registry
from mien.types import FaceType, replace

from .conftest import write_one


@pytest.fixture(scope="module")
def golden(request):
    shared = request.getfixturevalue("shared")
    pytest.importorskip("mien_dfl")
    return shared("golden/dfl-image/resize.json").parent


@pytest.fixture
def face(golden, tmp_path):
    """Reads a face file of DeepFaceLab."""

    def read(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(golden / name, folder)
        store = Registry.installed().hook.mien_open_faceset(path=folder)
        return next(iter(Faceset(folder, store)))

    return read


def array(stored):
    return np.array(stored["__ndarray__"], np.float64)


@pytest.mark.parametrize(
    ("case", "size", "face_type", "mask_pixels"),
    [
        ("same_128", 128, FaceType.WHOLE, 0),
        # The original warps masks with Lanczos: the border lies elsewhere by parts of a pixel.
        ("full_160", 160, FaceType.FULL, 110),
        ("head_160", 160, FaceType.HEAD, 150),
    ],
)
def test_metadata_are_those_of_deepfacelab(golden, face, case, size, face_type, mask_pixels):
    expected = json.loads((golden / "resize.json").read_text())[case]
    record, _ = resized(face("face_00001_0.jpg").record, size, face_type)
    assert record.matrix == pytest.approx(array(expected["image_to_face_mat"]), abs=1e-4)
    assert record.landmarks == pytest.approx(array(expected["landmarks"]), abs=1e-4)
    shapes = [np.array(each["points"]) for each in record.extra["polygons"]["shapes"]]
    drawn = [np.array(each["pts"]) for each in expected["seg_ie_polys"]["polys"]]
    assert len(shapes) == len(drawn)
    for shape in shapes:
        assert any(len(shape) == len(each) and np.abs(shape - each).max() < 1e-4 for each in drawn)
    mask = decode_mask(record.masks["xseg"], 256)[..., 0] > 0.5
    bits = np.unpackbits(np.array(expected["__xseg_packed__"], np.uint8))[: 256 * 256]
    assert (mask != bits.reshape(256, 256)).sum() <= mask_pixels


def test_the_picture_is_that_of_deepfacelab(face):
    before, after = face("face_00001_0.jpg"), face("resized_full_160.jpg")
    _, between = resized(before.record, 160, FaceType.FULL)
    image = warp(before.image, between, 160, cubic=True)
    # The original interpolates by Lanczos, and its result went through a JPEG.
    difference = cv2.absdiff(image, after.image)
    assert difference.mean() < 0.6
    assert difference.max() <= 12


def test_a_matrix_that_leads_nowhere_is_told(tmp_path):
    _, record = read_face(write_one(tmp_path, "a", 1))
    with pytest.raises(InputError, match="its matrix leads nowhere"):
        resized(replace(record, matrix=np.zeros((2, 3))), 64, FaceType.FULL)
    flat = replace(record, frame_landmarks=np.zeros((68, 2), np.float32))
    with pytest.raises(InputError, match="it cannot be turned to full"):
        resized(flat, 64, FaceType.FULL)
