"""A faceset in memory, decoded once, cut the way the model wants it.

Nothing is kept on disk between runs: a face takes a processor core 3 to 5 ms, so what fits into a
gigabyte at 128 pixels is there in less than a minute, and can never be out of date.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Image, Mask, Matrix, Points, as_dtype, as_float
from ...errors import InputError
from ...faceset import FaceRecord, Faceset, FaceStore, decode_mask
from ...geometry import (
    compose,
    crop_matrix,
    feature_mask,
    hull_mask,
    invert,
    pose,
    transform,
    warp,
)
from ...types import CropSpec
from .deck import spread_evenly

Rows = TypeVar("Rows", NDArray[np.uint8], NDArray[np.float32])

CHANNELS = 5
_NAMED = 20
"""Skipped pictures that get a sentence of their own."""
_SAID_EVERY = 5.0
_ENLARGED, _MISSING = 1.5, 0.05
"""How much larger than stored, and how much of its side black, a crop may be without a word."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceCache:
    """The faces of one person.

    faces  (N, 5, S, S) uint8: BGR, mask, and focus on eyes and mouth;  paths  where each came from
    landmarks  (N, 68, 2) float32, pixels of the crop
    yaws   (N,) float32 radians, > 0 where the nose points to the picture's right
    fingerprint  of all pictures of the faceset, by name and size;  count  how many they are
    notes  sentences about what was left out, and why
    """

    faces: Tensor
    paths: tuple[Path, ...]
    landmarks: Tensor
    yaws: Tensor
    folder: Path
    fingerprint: str
    count: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many faces there are."""
        return len(self.faces)


def load_faces(
    faceset: Faceset,
    spec: CropSpec,
    *,
    mask: str = "",
    memory: int = 1024,
    threads: int = 1,
    tell: Callable[[str], None] = lambda text: None,
    spare: int = 0,
) -> FaceCache:
    """Decode a faceset into crops as `spec` says (face type, size, scale).

    mask    the stored mask to take; empty takes the first, or the hull of the landmarks
    memory  megabytes; a larger faceset is thinned out evenly, which a note says
    tell    hears a sentence every few seconds while a large faceset is decoded
    spare   bytes beside each pixel that the faces will need later
    Raises InputError where no face can be read, or none holds the mask that is asked for.
    """
    folder = faceset.folder
    notes: list[str] = []
    weight = (CHANNELS + spare) * spec.size**2
    paths = _thinned(faceset.paths, weight, memory, folder, notes)
    reader = _Reader(faceset.store, paths, spec, mask)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        decoded = pool.map(reader.read, range(len(paths)))
        errors = list(_watched(decoded, len(paths), folder, tell))
    kept = [index for index, error in enumerate(errors) if error is None]
    if not kept:
        raise InputError(
            f"faceset '{folder}': none of its {len(paths)} pictures can be learned from; "
            f"the first: {errors[0]}"
        )
    notes += _skipped([error for error in errors if error is not None], folder)
    notes += reader.doubts(kept, folder)
    return FaceCache(
        faces=torch.from_numpy(_only(reader.faces, kept)),
        paths=tuple(paths[i] for i in kept),
        landmarks=torch.from_numpy(_only(reader.landmarks, kept)),
        yaws=torch.from_numpy(_only(reader.yaws, kept)),
        folder=folder,
        fingerprint=_fingerprint(faceset.paths),
        count=len(faceset),
        notes=tuple(notes),
    )


class _Reader:
    """Decodes pictures into arrays that are there already; many threads may read at once."""

    def __init__(self, store: FaceStore, paths: Sequence[Path], spec: CropSpec, mask: str) -> None:
        self._store, self._paths, self._spec, self._mask = store, paths, spec, mask
        count = len(paths)
        self.faces = np.empty((count, CHANNELS, spec.size, spec.size), np.uint8)
        self.landmarks = np.empty((count, 68, 2), np.float32)
        self.yaws = np.zeros(count, np.float32)
        self._enlarged = np.zeros(count, np.float32)
        self._missing = np.zeros(count, np.float32)

    def read(self, index: int) -> InputError | None:
        """Decode one picture; the reason where that is impossible."""
        try:
            self._read(index)
        except InputError as error:
            return error
        return None

    def doubts(self, kept: Sequence[int], folder: Path) -> list[str]:
        """Sentences about faces that hold less than the model wants to see."""
        spec, said = self._spec, []
        small = int((self._enlarged[kept] > _ENLARGED).sum())
        if small:
            said.append(
                f"faceset '{folder}': {small} of {len(kept)} faces are stored too small for the "
                f"{spec.size} pixels that the model learns at; they are enlarged"
            )
        narrow = int((self._missing[kept] > _MISSING).sum())
        if narrow:
            said.append(
                f"faceset '{folder}': {narrow} of {len(kept)} faces show less of the head than "
                f"the model's face type '{spec.face_type.value}'; their edges are drawn out to "
                "fill it.  Extract them with that face type or a larger one"
            )
        return said

    def _read(self, index: int) -> None:
        path, spec = self._paths[index], self._spec
        image, record = self._store.read(path)
        try:
            wanted = crop_matrix(record.frame_landmarks, spec.face_type, spec.size, spec.scale)
            matrix = compose(invert(record.matrix), wanted)  # stored crop -> wanted crop
        except ValueError as error:
            raise InputError(f"face '{path}': {error}") from error
        inside = _stored_mask(path, record, self._mask)
        if record.size != spec.size or not np.allclose(matrix, np.eye(2, 3), atol=1e-3):
            image = warp(image, matrix, spec.size, cubic=True, border="replicate")
            inside = warp(inside, matrix, spec.size)
        points = transform(wanted, record.frame_landmarks)
        face = self.faces[index]
        face[:3] = _bytes(image).transpose(2, 0, 1)
        face[3] = as_dtype(inside, np.uint8)[..., 0]
        face[4] = as_dtype(_focus(points, inside), np.uint8)[..., 0]
        self.landmarks[index] = points
        self.yaws[index] = _yaw(points, spec.size)
        self._enlarged[index] = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        self._missing[index] = _outside(invert(matrix), spec.size, record.size)


def _thinned(
    paths: Sequence[Path], weight: int, memory: int, folder: Path, notes: list[str]
) -> list[Path]:
    room = max(1, memory * 1_000_000 // weight)
    if len(paths) > room:
        notes.append(
            f"faceset '{folder}': {room} of its {len(paths)} faces fit into {memory} MB; "
            "raise train.memory to learn from all"
        )
    return [paths[i] for i in spread_evenly(len(paths), room)]


def _watched(
    results: Iterable[InputError | None],
    total: int,
    folder: Path,
    tell: Callable[[str], None],
) -> Iterable[InputError | None]:
    said = time.monotonic()
    for done, result in enumerate(results, 1):
        if time.monotonic() - said >= _SAID_EVERY and done < total:
            said = time.monotonic()
            tell(f"faceset '{folder}': {done} of {total} faces decoded")
        yield result


def _only(rows: Rows, kept: Sequence[int]) -> Rows:
    """The rows that are kept, moved up in place: a copy of the faces would fill the memory."""
    for place, row in enumerate(kept):
        if place != row:
            rows[place] = rows[row]
    return rows[: len(kept)]


def _skipped(errors: Sequence[InputError], folder: Path) -> list[str]:
    said = [f"skipped {error}" for error in errors[:_NAMED]]
    if len(errors) > _NAMED:
        said.append(f"faceset '{folder}': skipped {len(errors) - _NAMED} more pictures")
    return said


def _fingerprint(paths: Sequence[Path]) -> str:
    """Of names and sizes: the same wherever the folder lies, and costs no reading."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            size = path.stat().st_size
        except OSError:
            size = -1
        digest.update(f"{path.name}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _bytes(image: Image) -> NDArray[np.uint8]:
    return image if image.dtype == np.uint8 else as_dtype(as_float(image), np.uint8)


def _yaw(points: Points, size: int) -> float:
    try:
        return -pose(points, size).yaw
    except ValueError:
        return 0.0  # no pose fits: as good as any other place


def _outside(back: Matrix, size: int, stored: int) -> float:
    """How far the crop reaches out of the stored picture, as a share of the crop's side."""
    corners = transform(back, np.array([(0.0, 0.0), (size, 0.0), (0.0, size), (size, size)]))
    reach = max(float((-corners).max()), float((corners - stored).max()), 0.0)
    return reach * float(np.linalg.norm(corners[1] - corners[0])) ** -1


def _focus(points: Points, inside: Mask) -> Mask:
    """Eyes and mouth where the mask shows them, the strongest place 1."""
    seen = feature_mask(points, len(inside)) * (inside != 0)
    return np.asarray(seen / max(float(seen.max()), 1e-6), np.float32)


def _stored_mask(path: Path, record: FaceRecord, name: str) -> Mask:
    """The stored mask `name`, at the size of the stored crop."""
    if name and name not in record.masks:
        stored = ", ".join(record.masks) or "none"
        raise InputError(
            f"face '{path}': holds no mask '{name}' (stored: {stored}); choose one with --mask"
        )
    chosen = name or next(iter(record.masks), "")
    if not chosen:
        return hull_mask(record.landmarks, record.size)
    try:
        return decode_mask(record.masks[chosen], record.size)
    except InputError as error:
        raise InputError(f"face '{path}': mask '{chosen}': {error}") from error
