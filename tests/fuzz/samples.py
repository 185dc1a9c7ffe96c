"""Good files of every format, made here: what `formats.py` puts faults into."""

from __future__ import annotations

import json
import pickle
import tempfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mien.faceset import FaceFile, FaceRecord, encode_mask, with_record
from mien.faceset.pack import write_pack
from mien.faceset.record import to_json
from mien.geometry import crop_matrix, transform
from mien.nets.dflfiles import ModelData, Slots, write_data, write_slots, write_weights
from mien.testing.fakes import face_at, picture
from mien.types import FaceMask, FaceType
from mien_dfl import metadat, pak
from mien_dfl.faces import to_record
from mien_dfl.jpeg import put_together as put_into_jpeg
from mien_dfl.jpeg import take_apart
from mien_faceswap.geometry import square
from mien_faceswap.png import put_together as put_into_png
from mien_faceswap.values import face_table

SIZE = 48
SHAPES = {"encoder.down.conv1.weight": (4, 3, 3, 3), "encoder.down.conv1.bias": (4,)}
"""Tensors of the small net whose files are made here."""


def points() -> Any:
    """Landmarks of a face in a frame."""
    found = face_at(200, 150, 60).landmarks
    assert found is not None
    return found.astype(np.float64)


def dfl_info() -> dict[str, Any]:
    """Metadata with everything that a face can have."""
    matrix = crop_matrix(points().astype(np.float32), FaceType.WHOLE, SIZE)
    mask = np.frombuffer(encode_mask(np.ones((16, 16, 1), np.float32)), np.uint8)
    drawn = np.array([(1, 1), (30, 2), (9, 40)], np.float32)
    return {
        "face_type": "whole_face",
        "landmarks": transform(matrix, points()).tolist(),
        "source_filename": "00007.png",
        "source_rect": np.array([150, 100, 250, 220]),
        "source_landmarks": points().tolist(),
        "image_to_face_mat": matrix,
        "seg_ie_polys": {"polys": [{"type": 1, "pts": drawn}, {"type": 0, "pts": drawn[::-1]}]},
        "xseg_mask": mask[:, None],
        "eyebrows_expand_mod": 1.25,
    }


def dfl_faces() -> list[bytes]:
    """A face as two versions wrote it."""
    picture_bytes = bytes(cv2.imencode(".jpg", picture(SIZE, SIZE))[1])
    return [put_into_jpeg(picture_bytes, dfl_info(), protocol, "") for protocol in (3, 4)]


def dfl_pack(faces: list[bytes]) -> bytes:
    """A pack of these faces."""
    info = dfl_info()
    entries = [
        pak.entry(
            name=f"{number}.jpg",
            person="anna",
            face_type=4,
            shape=(SIZE, SIZE, 3),
            landmarks=info["landmarks"],
            polys=info["seg_ie_polys"],
            mask=info["xseg_mask"],
            brow=1.0,
            source="00007.png",
        )
        for number in range(len(faces))
    ]
    with tempfile.TemporaryFile() as stream:
        pak.write_pack(stream, entries, [len(face) for face in faces])
        stream.seek(0)
        return stream.read() + b"".join(faces)


def dfl_meta() -> bytes:
    """Saved metadata of two faces."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meta.dat"
        shape = (SIZE, SIZE, 3)
        metadat.write_meta(path, {"a.jpg": (shape, dfl_info()), "b.jpg": (shape, dfl_info())})
        return path.read_bytes()


def png() -> bytes:
    """A picture."""
    return bytes(cv2.imencode(".png", picture(SIZE, SIZE))[1])


def swap_table() -> dict[str, Any]:
    """What faceswap says of a face."""
    mask = FaceMask(mask=np.ones((32, 32, 1), np.float32), matrix=square(points(), 32, "head"))
    table = face_table(points(), (150.0, 100, 250, 220), mask)
    return table | {"identity": {"t-face_ir-101": [0.25] * 32}}


def swap_face() -> bytes:
    """A face with a header."""
    source = {
        "alignments_version": 2.4,
        "original_filename": "clip_000007_1.png",
        "face_index": 1,
        "source_filename": "clip_000007.mp4",
        "source_is_video": True,
        "source_frame_dims": (300, 400),
    }
    return put_into_png(png(), {"alignments": swap_table(), "source": source}, "")


def swap_list() -> bytes:
    """Alignments of two frames."""
    frame = {"faces": [swap_table() | {"thumb": [1, 2, 3]}], "video_meta": {}}
    tree = {"__meta__": {"version": 2.4}, "__data__": {"a_000001.mp4": frame, "b.png": frame}}
    return zlib.compress(pickle.dumps(tree, 4))


def ours(face: bytes) -> FaceRecord:
    """The record of a face of DeepFaceLab's."""
    parts = take_apart(face, "")
    return to_record(parts.info or {}, parts.width, parts.height, "")


def our_face(face: bytes, *, as_png: bool) -> bytes:
    """A face of DeepFaceLab's as one of ours."""
    data = png() if as_png else take_apart(face, "").picture
    return with_record(FaceFile(name="a", data=data, record=ours(face)))


def saved_faces(face: bytes) -> bytes:
    """The metadata of a faceset of ours, in one file."""
    return f'{{"mien-metadata": 1, "faces": {{\n"a.jpg": {to_json(ours(face))}\n}}}}\n'.encode()


def our_pack(faces: list[bytes], place: Path) -> bytes:
    """A pack of faces of ours, with a drawing."""
    path = place / "faces.zip"
    with write_pack(path) as add:
        for number, face in enumerate(faces):
            add(f"{number}.jpg", our_face(face, as_png=False))
        add("labels/0.jpg.json", json.dumps(label()).encode())
    return path.read_bytes()


def label() -> dict[str, Any]:
    """A drawing of ours."""
    square_ = [[1.0, 1.0], [30.5, 2.0], [9.0, 40.25]]
    shapes = [{"label": word, "points": square_} for word in ("include", "exclude")]
    return {"version": 1, "face": "a.jpg", "size": SIZE, "shapes": shapes}


def model_files() -> dict[str, bytes]:
    """A small model of DeepFaceLab's: by suffix, weights, state of the optimiser, and its data."""
    numbers = np.random.default_rng(1)
    tensors = {name: numbers.standard_normal(shape).astype("f") for name, shape in SHAPES.items()}
    losses = np.array([[0.5, 0.25], [0.125, 1.0]])
    options = {"resolution": 64, "face_type": "wf", "archi": "df-ud", "random_flip": True}
    options |= {"random_hsv_power": 0.0, "ct_mode": "none", "target_iter": 100, "ae_dims": 32}
    options |= {
        "e_dims": 16,
        "d_dims": 16,
        "d_mask_dims": 16,
        "inter_dims": 32,
        "masked_training": True,
    }
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "a_SAEHD"
        (weights,) = write_weights(base, tensors)
        slots = Slots(iterations=7, values={"ms": tensors, "vs": tensors})
        state = write_slots(base.with_name("a_SAEHD_src_dst_opt.npy"), slots)
        data = ModelData(iterations=2, options=options, losses=losses)
        held = write_data(base.with_name("a_SAEHD_data.dat"), data)
        return {
            "npy": weights.read_bytes(), "opt": state.read_bytes(), "dat": held.read_bytes()
        }  # fmt: skip


def swap_state() -> bytes:
    """What a model of faceswap remembers."""
    sessions = {"1": {"timestamp": 1.5, "iterations": 9, "batchsize": 4, "loss_names": ["a"]}}
    config = {"coverage": 87.5, "optimizer": "adam", "penalized_mask_loss": True}
    return json.dumps(
        {"name": "original", "iterations": 9, "sessions": sessions, "config": config}
    ).encode()
