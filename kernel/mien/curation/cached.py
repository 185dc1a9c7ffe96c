"""The pass over a faceset that measures what was not measured before."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arrays import unit_vector
from ..errors import InputError, StoppedError
from ..faceset import Faceset
from .measure import crop_of, measure, origin
from .store import Key, Measures, cache_path, save_somewhere
from .table import Group, Table, columns_of

if TYPE_CHECKING:
    from ..stages import EmbedderStage
    from ..types import Crop

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Embedder:
    """What tells people apart.

    name   with version, options and weights: another one's vectors cannot be compared with its own
    stage  not yet open
    """

    name: str
    stage: EmbedderStage


@dataclass(slots=True)
class _Measured:
    """What was measured of a picture, and what the embedder is still to be asked."""

    groups: Group
    origin: str
    found: dict[str, Any]
    crop: Crop | None


def measure_faces(
    faceset: Faceset,
    groups: Group,
    *,
    columns: Sequence[str] = (),
    embedder: Embedder | None = None,
    elsewhere: Path | None = None,
    threads: int = 1,
    cancel: threading.Event | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> Table:
    """Measure every face of a set that can be read; `faceset.notes` tells of the others.

    columns    those that are wanted, where not all of the groups are: a large set's histograms and
               pictures fill a gigabyte
    embedder   needed for `Group.IDENTITY`
    elsewhere  a folder for what was measured where the set's own cannot be written
    Pictures known from an earlier pass are neither read nor decoded.  Raises InputError where not
    one can be read, StoppedError after `cancel`: what was measured by then is kept.
    """
    if groups & Group.IDENTITY and embedder is None:
        raise ValueError("identities need an embedder")
    places = [cache_path(faceset.folder)]
    if elsewhere is not None:
        places.append(elsewhere / f"{_address(faceset.folder)}.npz")
    place = next((path for path in places if path.is_file()), places[0])
    keys = {path: key for path, key in zip(faceset.paths, _keys(faceset), strict=True) if key}
    columns = columns or columns_of(groups)
    known = _known(Measures.load(place, columns), embedder)
    missing = _missing(known, keys, groups)
    if missing:
        known = _known(Measures.load(place), embedder)  # what is written anew is written whole
        missing = _missing(known, keys, groups)
        known.make_room([key for _, key, _ in missing])
    passed = _passed(faceset, missing, embedder, threads, cancel)
    try:
        for number, ((path, key, _), answer) in enumerate(zip(missing, passed, strict=True), 1):
            if isinstance(answer, str):
                faceset.notes.append(answer)
                del keys[path]
            else:
                known.put(key, answer.groups, answer.origin, answer.found)
            advance(len(faceset) - len(missing) + number)
    finally:
        if missing:
            save_somewhere(known.only(list(keys.values())), places)
    if not keys:
        said = faceset.notes[0].removeprefix("skipped ") if faceset.notes else "none is left"
        raise InputError(f"faceset '{faceset.folder}': holds no readable face; the first: {said}")
    origins, values = known.take(list(keys.values()), columns)
    return Table(tuple(keys), tuple(origins), values)


def _known(known: Measures, embedder: Embedder | None) -> Measures:
    if embedder is not None:
        known.embedded_by(embedder.name)
    return known


def _missing(
    known: Measures, keys: dict[Path, Key], groups: Group
) -> list[tuple[Path, Key, Group]]:
    return [
        (path, key, lacking)
        for path, key in keys.items()
        if (lacking := known.lacking(key, groups))
    ]


def _passed(
    faceset: Faceset,
    missing: Sequence[tuple[Path, Key, Group]],
    embedder: Embedder | None,
    threads: int,
    cancel: threading.Event | None,
) -> Iterator[_Measured | str]:
    """The measurements of each, or a sentence about why there are none."""

    def one(item: tuple[Path, Key, Group]) -> _Measured | str:
        path, _, groups = item
        try:
            if groups == Group.RECORD:
                record = faceset.store.record(path)
                return _Measured(groups, origin(record), measure(None, record, groups), None)
            image, record = faceset.store.read(path)
        except InputError as error:
            return f"skipped {error}"
        asked = embedder is not None and bool(groups & Group.IDENTITY)
        crop = crop_of(image, record, embedder.stage.spec) if asked and embedder else None
        return _Measured(groups, origin(record), measure(image, record, groups), crop)

    with ThreadPoolExecutor(max(1, threads)) as pool, ExitStack() as stack:
        if embedder is not None and missing:
            stack.callback(embedder.stage.close)
            embedder.stage.open()
        for start in range(0, len(missing), _AT_ONCE):
            if cancel is not None and cancel.is_set():
                raise StoppedError(
                    f"{faceset.folder}: stopped after {start} of {len(missing)} faces; run it again"
                )
            answers = list(pool.map(one, missing[start : start + _AT_ONCE]))
            if embedder is not None:
                embed(embedder.stage, [each for each in answers if isinstance(each, _Measured)])
            yield from answers


def embed(stage: EmbedderStage, measured: Sequence[_Measured]) -> None:
    """Ask for the identities of the faces that have a crop, in the stage's batches."""
    asked = [each for each in measured if each.crop is not None]
    for start in range(0, len(asked), stage.batch_size):
        part = asked[start : start + stage.batch_size]
        vectors = stage([each.crop for each in part if each.crop is not None])
        for each, vector in zip(part, vectors, strict=True):
            each.found["identity"] = unit_vector(vector)
            each.crop = None


def _keys(faceset: Faceset) -> Iterator[Key | None]:
    """The key of every picture; None, with a note, for one that has gone."""
    folder, inside = faceset.folder, f"{faceset.folder}{os.sep}"
    packs = (folder / "faceset.pak", *((folder,) if folder.is_file() else ()))
    for path in faceset.paths:
        text = str(path)  # `relative_to` takes longer than all else here
        name = text[len(inside) :].replace(os.sep, "/") if text.startswith(inside) else path.name
        facts = next((found for each in (path, *packs) if (found := _stat(each))), None)
        if facts is None:
            faceset.notes.append(f"skipped face '{path}': it is no longer there")
            yield None
        else:
            yield name, facts.st_size, facts.st_mtime_ns


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _address(folder: Path) -> str:
    import hashlib

    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
