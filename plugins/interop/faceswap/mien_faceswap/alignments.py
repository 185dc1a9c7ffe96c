"""The tree of an `.fsa` file as faces by frame, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from mien.faceset import Alignments, FrameFaces
from mien.types import Face

from .fsa import VERSION
from .values import box_of, face_table, masks_of, points_of

_NAMED = 5


def to_alignments(tree: dict[str, Any]) -> Alignments:
    """Faces by frame, in the file's order; a face that cannot be read is left out with a note."""
    frames, notes, left_out, identities = [], [], 0, 0
    for name, table in tree["__data__"].items():
        faces = []
        for number, each in enumerate(table["faces"]):
            try:
                faces.append(_face(each))
            except (ValueError, TypeError, OverflowError) as error:
                left_out += 1
                if left_out <= _NAMED:
                    notes.append(f"frame '{name}': face {number} is left out: {error}")
            identities += bool(each.get("identity"))
        frames.append(FrameFaces(name=name, faces=tuple(faces)))
    if left_out > _NAMED:
        notes.append(f"{left_out - _NAMED} more faces were left out")
    if identities:
        notes.append(
            f"the identities of {identities} faces were not taken over: faceswap's nets measure "
            "them in another way than ours"
        )
    return Alignments(frames=tuple(frames), notes=tuple(notes))


def to_tree(frames: Iterable[FrameFaces]) -> dict[str, Any]:
    """The tree of version 2.4; faces without landmarks are left out."""
    data = {frame.name: {"faces": _tables(frame.faces), "video_meta": {}} for frame in frames}
    return {"__meta__": {"version": VERSION}, "__data__": data}


def _face(value: dict[str, Any]) -> Face:
    return Face(
        box=box_of(value), landmarks=points_of(value).astype(np.float32), masks=masks_of(value)
    )


def _tables(faces: Iterable[Face]) -> list[dict[str, Any]]:
    tables = []
    for face in faces:
        if face.landmarks is None:
            continue
        mask = next(iter(face.masks.values()), None)
        table = face_table(face.landmarks.astype(np.float64), face.box, mask)
        tables.append(table | {"thumb": None})
    return tables
