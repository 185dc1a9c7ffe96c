"""The model folder: generations of a training, each committed by one rename.

    model.json                         which plugin, its options; written once
    generations/000001200/             a generation, whole or not there
        weights.safetensors  optimizer.safetensors  state.json
    history.jsonl  preview/            see `history` and `preview`

Nothing here imports torch before tensors are read or written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import reason, sync, write_whole
from ..errors import InputError, OutputError

if TYPE_CHECKING:
    from torch import Tensor

    from .base import TrainerState

FORMAT = 1
WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


class _LaterError(InputError):
    """A generation of a format that this version does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model folder is: the plugin that made it, and the options it was begun with."""

    plugin: str
    dist_version: str
    options: Mapping[str, Any]
    face_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A saved state of a model, verified.

    weights_sha256  names the weights, for caches of what is made from them
    facts  the trainer's own;  snapshot  is never thinned out
    """

    folder: Path
    iteration: int
    seconds: float
    weights_sha256: str
    snapshot: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def weights(self) -> dict[str, Tensor]:
        """The weights, on the CPU."""
        return _load(self.folder / WEIGHTS)

    def state(self) -> TrainerState:
        """All that a trainer needs to go on."""
        from .base import TrainerState

        return TrainerState(
            weights=self.weights(), optimizer=_load(self.folder / OPTIMIZER), facts=self.facts
        )


def write_card(folder: Path, card: ModelCard) -> None:
    """Begin a model folder.  Raises OutputError where it cannot be written."""
    values = {
        "format": FORMAT,
        "plugin": card.plugin,
        "version": card.dist_version,
        "face_type": card.face_type,
        "size": card.size,
        "options": dict(card.options),
    }
    write_whole(folder / "model.json", (json.dumps(values, indent=2) + "\n").encode())


def read_card(folder: Path) -> ModelCard | None:
    """What a model folder is, None where none was begun there.

    Raises InputError where `model.json` is damaged or from a later version.
    """
    path = folder / "model.json"
    try:
        values = json.loads(path.read_bytes())
        if values["format"] > FORMAT:
            raise InputError(
                f"model '{folder}': written by a later mien (format {values['format']}, this one "
                f"knows {FORMAT}); update mien to read it"
            )
        return ModelCard(
            plugin=str(values["plugin"]),
            dist_version=str(values["version"]),
            options=dict(values["options"]),
            face_type=str(values["face_type"]),
            size=int(values["size"]),
        )
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise InputError(f"model '{folder}': is a file; name a folder") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"model '{folder}': its model.json is damaged ({error!r}); put back a copy, or remove "
            "it: a training with the options that the model was begun with writes it anew"
        ) from error


def save(
    folder: Path,
    state: TrainerState,
    iteration: int,
    *,
    seconds: float = 0.0,
    keep: int = 2,
    snapshot: bool = False,
    snapshots: int = 24,
) -> Generation:
    """Save a generation and thin out older ones.

    keep, snapshots  how many ordinary ones, and how many kept for good, may stand
    Either all of it is there afterwards, or nothing: then OutputError, and older ones untouched.
    """
    place = folder / "generations"
    final = place / f"{iteration:09d}"
    beside = place / f".{final.name}.{secrets.token_hex(4)}"
    try:
        beside.mkdir(parents=True)
        files = {
            name: _write_tensors(beside / name, tensors)
            for name, tensors in ((WEIGHTS, state.weights), (OPTIMIZER, state.optimizer))
        }
        values = {
            "format": FORMAT,
            "iteration": iteration,
            "seconds": round(seconds, 3),
            "snapshot": snapshot,
            "files": files,
            "facts": dict(state.facts),
        }
        write_whole(beside / STATE, (json.dumps(values, indent=2) + "\n").encode())
        sync(beside)
        if final.exists():  # a damaged one: a whole one would have been resumed from
            shutil.rmtree(final)
        beside.rename(final)
        sync(place)
    except (OSError, OutputError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        why = reason(error) if isinstance(error, OSError) else error
        raise OutputError(
            f"model '{folder}': iteration {iteration} cannot be saved ({why}); the generation "
            "saved before it is untouched.  Make room and start again"
        ) from error
    thin_out(folder, keep, snapshots)
    return open_generation(final, verify=False)


def restore(folder: Path, iteration: int) -> Generation:
    """Make an older generation the newest: later ones are put into the folder `set-aside`.

    Raises InputError where there is no such generation, and says which there are.
    """
    found = {int(path.name): path for path in _generations(folder)}
    if iteration not in found:
        known = ", ".join(str(number) for number in found) or "none"
        raise InputError(
            f"model '{folder}': holds no generation of iteration {iteration} (it holds: {known})"
        )
    generation = open_generation(found[iteration])
    _set_aside(folder, [path for number, path in found.items() if number > iteration])
    return generation


def is_begun(folder: Path) -> bool:
    """Whether anything was ever saved there."""
    return bool(_generations(folder))


def latest(folder: Path) -> Generation | None:
    """The newest whole generation, None where there is none; damaged ones are passed over."""
    for path in reversed(_generations(folder)):
        with contextlib.suppress(InputError):
            return open_generation(path)
    return None


def take_up(folder: Path, tell: Callable[[str], None], *, tidy: bool = False) -> Generation | None:
    """The newest whole generation, None where nothing was ever saved.

    tell  hears of every damaged one that is passed over
    tidy  puts those aside, so that they are not counted among the ones to keep
    Raises InputError where generations are there and none is whole, or the newest is of a later
    version: a training that began anew there would take the place of what is lost.
    """
    damaged: list[tuple[Path, InputError]] = []
    found: Generation | None = None
    for path in reversed(_generations(folder)):
        try:
            found = open_generation(path)
            break
        except _LaterError:
            raise
        except InputError as error:
            damaged.append((path, error))
    if damaged and found is None:
        raise InputError(
            f"model '{folder}': nothing that is saved there is whole; the newest: {damaged[0][1]}. "
            "Put back a copy, or train into another folder"
        )
    for _, problem in damaged:
        tell(f"{problem}: it is passed over")
    if tidy:
        _set_aside(folder, [path for path, _ in damaged])
    return found


def open_generation(path: Path, *, verify: bool = True) -> Generation:
    """A generation's facts, after its files were checked against their checksums.

    Raises InputError where it is incomplete or damaged.
    """
    where = f"generation '{path}'"
    try:
        values = json.loads((path / STATE).read_bytes())
        if values["format"] > FORMAT:
            raise _LaterError(f"{where}: written by a later mien; update mien to read it")
        files = dict(values["files"])
        for name in (WEIGHTS, OPTIMIZER):
            _check_file(path / name, files[name], where, verify=verify)
        return Generation(
            folder=path,
            iteration=int(values["iteration"]),
            seconds=float(values["seconds"]),
            weights_sha256=str(files[WEIGHTS]["sha256"]),
            snapshot=bool(values["snapshot"]),
            facts=dict(values["facts"]),
        )
    except FileNotFoundError as error:
        missing = Path(error.filename or "").name
        raise InputError(f"{where}: is incomplete, it has no {missing}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where}: its {STATE} is damaged ({error!r})") from error


def thin_out(folder: Path, keep: int, snapshots: int = 24) -> None:
    """Remove what interrupted saves left, and all but the newest `keep` and `snapshots` of the
    snapshots."""
    place = folder / "generations"
    for path in place.glob(".*"):
        shutil.rmtree(path, ignore_errors=True)
    lasting = [path for path in _generations(folder)[:-keep] if _is_snapshot(path)]
    for path in _generations(folder)[:-keep]:
        if path in lasting[-snapshots:]:
            continue
        gone = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _set_aside(folder: Path, paths: Sequence[Path]) -> None:
    aside = folder / "set-aside"
    try:
        for path in paths:
            aside.mkdir(exist_ok=True)
            shutil.rmtree(aside / path.name, ignore_errors=True)
            path.rename(aside / path.name)
    except OSError as error:
        raise OutputError(f"model '{folder}': cannot be changed ({reason(error)})") from error


def _is_snapshot(path: Path) -> bool:
    try:
        return open_generation(path, verify=False).snapshot
    except InputError:
        return False  # incomplete: nothing to keep


def _generations(folder: Path) -> list[Path]:
    place = folder / "generations"
    return sorted(path for path in place.glob("[0-9]*") if path.name.isdecimal() and path.is_dir())


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Write, flush to the disk and measure one file of tensors."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as error:  # its way of saying that the disk is full
        raise OSError(str(error)) from error
    sync(path)
    return {"size": path.stat().st_size, "sha256": _sha256(path)}


def _load(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights '{path}': cannot be read ({error})") from error
    return tensors


def _check_file(path: Path, facts: Mapping[str, Any], where: str, *, verify: bool) -> None:
    size = path.stat().st_size
    if size != facts["size"]:
        raise InputError(f"{where}: its {path.name} has {size} bytes, must have {facts['size']}")
    if verify and _sha256(path) != facts["sha256"]:
        raise InputError(f"{where}: its {path.name} is damaged (wrong checksum)")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
