"""What a masker finds on faces that are stored already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..errors import InputError
from ..faceset import FaceFile, FaceRecord, decode_picture, encode_mask
from ..stages import MaskerStage
from ..types import Crop, CropSpec, Face, replace


def masked(
    faces: Iterable[tuple[Path, FaceFile]], masker: MaskerStage, name: str, notes: list[str]
) -> Iterator[tuple[Path, FaceFile]]:
    """The faces with the masker's mask under `name`, batch by batch.

    A face that cannot be decoded is left out; `notes` gets a sentence about it.
    """
    from ..geometry import compose, invert, warp

    waiting = iter(faces)
    masker.open()
    try:
        while batch := list(islice(waiting, max(1, masker.batch_size))):
            crops = list(_crops(batch, masker.spec, notes))
            if not crops:
                continue
            found = masker([crop for _, _, crop in crops])
            for (path, face, crop), mask in zip(crops, found, strict=True):
                record = face.record
                back = compose(invert(crop.matrix), record.matrix)
                png = encode_mask(warp(mask, back, record.size))
                yield path, replace(face, record=replace(record, masks={**record.masks, name: png}))
    finally:
        masker.close()


def _crops(
    batch: Sequence[tuple[Path, FaceFile]], spec: CropSpec, notes: list[str]
) -> Iterator[tuple[Path, FaceFile, Crop]]:
    for path, face in batch:
        try:
            yield path, face, stored_crop(face, spec, f"face '{path}'")
        except InputError as error:
            notes.append(f"skipped {error}")


def stored_crop(face: FaceFile, spec: CropSpec, where: str) -> Crop:
    """A stored face as a plugin wants to see it; black where the stored crop does not reach.

    Raises InputError where the picture cannot be decoded, or the landmarks make no crop.
    """
    from ..geometry import compose, crop_matrix, invert, take_crop, transform

    record = face.record
    image = decode_picture(face.data, record.size, where)
    try:
        matrix = crop_matrix(record.frame_landmarks, spec.face_type, spec.size, spec.scale)
        between = compose(invert(record.matrix), matrix)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    return Crop(
        image=take_crop(image, between, spec),
        matrix=matrix,
        landmarks=transform(matrix, record.frame_landmarks).astype("float32"),
        spec=spec,
        face=_face(record),
        frame_index=record.frame_index,
    )


def _face(record: FaceRecord) -> Face:
    return Face(
        box=record.box, score=record.score, landmarks=record.frame_landmarks, track=record.track
    )
