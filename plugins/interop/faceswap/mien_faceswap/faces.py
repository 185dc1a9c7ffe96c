"""A face's header as a record of ours and back.

Its numbers travel in the record under `extra["faceswap"]` as they were, so that a face nobody
changed goes back byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
from mien.errors import InputError
from mien.faceset import FaceRecord, check_square, decode_mask, encode_mask
from mien.faceset.kept import keep, kept
from mien.geometry import transform
from mien.media.files import PICTURES
from mien.types import FaceMask, FaceType

from .geometry import square
from .values import box_of, face_table, frame_number, in_crop, masks_of, points_of

KEPT = "faceswap"
_MASK_SIDE = 256
_VERSION = 2.4
_STILL = frozenset(("", *PICTURES))
"""Endings of clips that are pictures, or folders of them."""


def to_record(header: Mapping[str, Any], width: int, height: int, where: str) -> FaceRecord:
    """The record of a face whose picture has this size.

    Raises InputError where the header lacks what a face needs, or a value is of the wrong kind.
    """
    check_square(width, height, where)
    try:
        return _record(header, width)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{where}: its header is damaged: {error}") from error


def _record(header: Mapping[str, Any], size: int) -> FaceRecord:
    face, source = header.get("alignments"), header.get("source")
    if not isinstance(face, Mapping) or not isinstance(source, Mapping):
        raise ValueError("it holds no alignments, or no source")
    points = points_of(face)
    matrix = square(points, size, "head")
    side = min(size, _MASK_SIDE)
    small = square(points, side, "head")
    masks = {
        name: encode_mask(in_crop(placed, small, side)) for name, placed in masks_of(face).items()
    }
    index = source.get("face_index", 0)
    return FaceRecord(
        face_type=FaceType.HEAD,
        size=size,
        matrix=matrix,
        landmarks=transform(matrix, points).astype(np.float32),
        frame_landmarks=points.astype(np.float32),
        box=box_of(face),
        frame_index=frame_number(source.get("source_filename", "")),
        face_index=index if type(index) is int and 0 <= index < 1 << 31 else 0,
        masks=masks,
        extra={KEPT: {"size": size, "header": keep(dict(header))}},
    )


def to_header(record: FaceRecord, name: str) -> dict[str, Any]:
    """What faceswap shall know of a face of this name.

    A face that came from there and was not changed here is given back as it was.  Raises InputError
    where no pose fits the landmarks.
    """
    stored = record.extra.get(KEPT)
    source: dict[str, Any] = {}
    if isinstance(stored, Mapping):
        try:
            size, header = int(stored["size"]), kept(stored["header"])
            before = _record(header, size)
            source = dict(header["source"])
            if _same(before, record):
                return dict(header)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            source = {}  # somebody wrote there what we would not: made anew
    try:
        table = face_table(record.frame_landmarks.astype(np.float64), record.box, _mask(record))
    except ValueError as error:
        raise InputError(f"face '{name}': {error}") from error
    return {"alignments": table, "source": _source(record) | source}


def is_head(record: FaceRecord) -> bool:
    """Whether the picture shows the very square that faceswap stores.  Raises ValueError."""
    wanted = square(record.frame_landmarks.astype(np.float64), record.size, "head")
    return bool(np.allclose(record.matrix, wanted, rtol=1e-4, atol=0.05))


def _same(before: FaceRecord, now: FaceRecord) -> bool:
    return (
        np.array_equal(before.frame_landmarks, now.frame_landmarks)
        and before.box == now.box
        and dict(before.masks) == dict(now.masks)
    )


def _mask(record: FaceRecord) -> FaceMask | None:
    """The first mask, placed in the frame."""
    png = next(iter(record.masks.values()), None)
    if png is None:
        return None
    return FaceMask(mask=decode_mask(png, record.size), matrix=record.matrix)


def _source(record: FaceRecord) -> dict[str, Any]:
    # The record does not know how large the frame is: as large as what is known of it, at least.
    reach = np.concatenate((record.frame_landmarks, np.reshape(record.box, (2, 2)))).max(0)
    width, height = (max(1, int(np.ceil(edge))) for edge in reach)
    clip = PurePath(record.clip)
    is_video = clip.suffix.lower() not in _STILL
    # Its frames count from 1, and are called after the clip; a list of the clip's faces, too.
    frame = f"{clip.stem or 'frame'}_{record.frame_index + 1:06d}"
    return {
        "alignments_version": _VERSION,
        "original_filename": f"{frame}_{record.face_index}.png",
        "face_index": record.face_index,
        "source_filename": f"{frame}{clip.suffix if is_video else '.png'}",
        "source_is_video": is_video,
        "source_frame_dims": (height, width),
    }
