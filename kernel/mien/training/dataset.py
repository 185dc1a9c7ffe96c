"""A faceset in memory, decoded once, cut the way the model wants it; and the order of learning."""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays import Mask, Points, as_dtype, as_float
from ..errors import InputError
from ..faceset import FaceRecord, Faceset, decode_mask, read_face
from ..geometry import compose, crop_matrix, feature_mask, hull_mask, invert, transform, warp
from ..types import CropSpec

_CHANNELS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceCache:
    """The faces of one person.

    faces  (N, 5, S, S) uint8: BGR, mask, and focus on eyes and mouth;  paths  where each came from
    notes  sentences about what was left out, and why
    """

    faces: Tensor
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many faces there are."""
        return len(self.faces)


def load_faces(
    folder: Path, spec: CropSpec, *, mask: str = "", memory: int = 1024, threads: int = 1
) -> FaceCache:
    """Decode a faceset into crops as `spec` says (face type, size, scale).

    mask    the stored mask to take; empty takes the first, or the hull of the landmarks
    memory  megabytes; a larger faceset is thinned out evenly, which a note says
    Raises InputError where no face can be read, or none holds the mask that is asked for.
    """
    faceset = Faceset(folder)
    notes: list[str] = []
    paths = _thinned(faceset.paths, spec.size, memory, folder, notes)
    faces = np.empty((len(paths), _CHANNELS, spec.size, spec.size), np.uint8)

    def decode(index: int) -> InputError | None:
        try:
            faces[index] = _decode(paths[index], spec, mask)
        except InputError as error:
            return error
        return None

    with ThreadPoolExecutor(max(1, threads)) as pool:
        errors = list(pool.map(decode, range(len(paths))))
    kept = [index for index, error in enumerate(errors) if error is None]
    if not kept:
        raise InputError(
            f"faceset '{folder}': none of its {len(paths)} pictures can be learned from; "
            f"the first: {errors[0]}"
        )
    notes += [f"skipped {error}" for error in errors if error is not None]
    whole = faces if len(kept) == len(paths) else faces[kept]
    return FaceCache(
        faces=torch.from_numpy(whole), paths=tuple(paths[i] for i in kept), notes=tuple(notes)
    )


class Deck:
    """Deals the faces of one side: each once before any comes again, in an order of its own.

    The hand of an iteration depends on the seed and the iteration alone, so a training that was
    interrupted goes on with the faces it would have had.
    """

    def __init__(self, count: int, batch_size: int, shuffle: Callable[[int], list[int]]) -> None:
        """shuffle  the order of `count` faces in one round, from the number of the round"""
        self._count, self._batch_size, self._shuffle = count, batch_size, shuffle
        self._round, self._order = -1, list[int]()

    def hand(self, iteration: int) -> list[int]:
        """Which faces iteration 0, 1, … learns from."""
        start = iteration * self._batch_size
        return [self._card(place) for place in range(start, start + self._batch_size)]

    def _card(self, place: int) -> int:
        number, index = divmod(place, self._count)
        if number != self._round:
            self._round, self._order = number, self._shuffle(number)
        return self._order[index]


def spread_evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` indices, from the first to the last."""
    if wanted >= count:
        return list(range(count))
    return [round(i * (count - 1) / max(1, wanted - 1)) for i in range(wanted)]


def _thinned(
    paths: Sequence[Path], size: int, memory: int, folder: Path, notes: list[str]
) -> list[Path]:
    room = max(1, memory * 1_000_000 // (_CHANNELS * size * size))
    if len(paths) > room:
        notes.append(
            f"faceset '{folder}': {room} of its {len(paths)} faces fit into {memory} MB; "
            "raise train.memory to learn from all"
        )
    return [paths[i] for i in spread_evenly(len(paths), room)]


def _decode(path: Path, spec: CropSpec, mask: str) -> NDArray[np.uint8]:
    image, record = read_face(path)
    try:
        wanted = crop_matrix(record.frame_landmarks, spec.face_type, spec.size, spec.scale)
        matrix = compose(invert(record.matrix), wanted)  # stored crop -> wanted crop
    except ValueError as error:
        raise InputError(f"face '{path}': {error}") from error
    inside = _mask(path, record, mask)
    same = record.size == spec.size and np.allclose(matrix, np.eye(2, 3), atol=1e-3)
    if not same:
        image = warp(image, matrix, spec.size, cubic=True)
        inside = warp(inside, matrix, spec.size)
    face = np.empty((_CHANNELS, spec.size, spec.size), np.uint8)
    face[:3] = as_dtype(as_float(image), np.uint8).transpose(2, 0, 1)
    face[3] = as_dtype(inside, np.uint8)[..., 0]
    face[4] = as_dtype(_focus(transform(wanted, record.frame_landmarks), inside), np.uint8)[..., 0]
    return face


def _focus(points: Points, inside: Mask) -> Mask:
    """Eyes and mouth where the mask shows them, the strongest place 1."""
    seen = feature_mask(points, len(inside)) * (inside != 0)
    return np.asarray(seen / max(float(seen.max()), 1e-6), np.float32)


def _mask(path: Path, record: FaceRecord, name: str) -> Mask:
    """The stored mask `name`, at the size of the stored crop."""
    if name and name not in record.masks:
        stored = ", ".join(record.masks) or "none"
        raise InputError(f"face '{path}': holds no mask '{name}' (stored: {stored})")
    chosen = name or next(iter(record.masks), "")
    if not chosen:
        return hull_mask(record.landmarks, record.size)
    try:
        return decode_mask(record.masks[chosen], record.size)
    except InputError as error:
        raise InputError(f"face '{path}': mask '{chosen}': {error}") from error
