"""Pickles that DeepFaceLab and faceswap really wrote: all of them are plain data to this reader."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mien.weights.pickles import UnsafePickleError, load_path, loads

Shared = Callable[[str], Path]
ENUMS = {("samplelib.Sample", "SampleType"): int, ("facelib.FaceType", "FaceType"): int}


def as_json(value: Any) -> Any:
    """The value as JSON would give it back."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    return value


@pytest.mark.parametrize("name", ["clip_alignments", "legacy_v2.1_alignments"])
def test_alignments_of_faceswap(shared: Shared, name: str) -> None:
    read = loads(zlib.decompress(shared(f"golden/faceswap/{name}.fsa").read_bytes()))
    assert list(read) == ["__meta__", "__data__"]
    assert read["__data__"]


def test_alignments_are_what_their_json_says(shared: Shared) -> None:
    read = loads(zlib.decompress(shared("golden/faceswap/clip_alignments.fsa").read_bytes()))
    path = shared("golden/faceswap/clip_alignments.expected.json")
    wanted = json.loads(path.read_text(encoding="utf-8"))
    assert read["__meta__"] == wanted["__meta__"]
    assert read["__data__"].keys() == wanted["__data__"].keys()
    for frame, content in wanted["__data__"].items():
        for face, expected in zip(read["__data__"][frame]["faces"], content["faces"], strict=True):
            assert as_json(face["landmarks_xy"]) == expected["landmarks_xy"]
            assert [face[key] for key in "xywh"] == [expected[key] for key in "xywh"]


def test_a_faceset_of_deepfacelab_needs_two_names_more(shared: Shared) -> None:
    packed = shared("golden/dfl-image/faceset.pak").read_bytes()
    data = packed[16 : 16 + int.from_bytes(packed[8:16], "little")]
    with pytest.raises(
        UnsafePickleError, match=r"asks for samplelib\.Sample\.SampleType, which no"
    ):
        loads(data)
    read = loads(data, also=ENUMS)
    path = shared("golden/dfl-image/faceset.json")
    wanted = json.loads(path.read_text(encoding="utf-8"))["samples"]
    for sample, expected in zip(read, wanted, strict=True):
        for key in ("filename", "face_type", "sample_type", "shape", "landmarks", "person_name"):
            assert as_json(sample[key]) == expected[key]


def test_the_note_inside_a_face_of_deepfacelab(shared: Shared) -> None:
    picture = shared("golden/dfl-image/face_00001_0.jpg").read_bytes()
    at = picture.index(b"\xff\xef") + 2
    read = loads(picture[at + 2 : at + int.from_bytes(picture[at : at + 2], "big")])
    assert read["face_type"] == "whole_face"
    assert len(read["landmarks"]) == len(read["source_landmarks"]) == 68
    assert (read["image_to_face_mat"].shape, read["source_rect"].dtype) == ((2, 3), np.int64)
    assert bytes(read["xseg_mask"]).startswith(b"\x89PNG")


def test_saved_metadata_of_deepfacelab(shared: Shared) -> None:
    read = load_path(shared("golden/dfl-image/meta.dat"))
    shape, note = read["00002_0.jpg"]
    assert shape == (128, 128, 3)
    assert note["face_type"] == "whole_face"
