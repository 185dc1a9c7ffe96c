"""The files of DeepFaceLab's models: weights, state of the optimiser, and what a model remembers.

A model of kind SAEHD named "anna" is files that begin with `anna_SAEHD`, its base: `_encoder.npy`
and so on with weights, `_src_dst_opt.npy` with the optimiser, `_data.dat` with all else.  Despite
their names the `.npy` files are pickles; they are read without running anything they name.

Here tensors have torch's names and layouts, a name being the module's attribute path that begins
with the net: `encoder.down1.downs.0.conv1.weight` is `down1/downs_0/conv1/weight:0` in
`encoder.npy`.  Files keep convolutions as (height, width, in, out), transposed ones as (height,
width, out, in) and dense layers as (in, out).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..atomic import reason, whole_file
from ..errors import InputError, OutputError, WeightsError
from ..weights.pickles import PickleError, UnsafePickleError, load_path
from .dflpickle import dump

if TYPE_CHECKING:
    import torch

Array: TypeAlias = NDArray[Any]
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

KINDS = ("SAEHD", "AMP", "Quick96", "XSeg")
DATA = "_data.dat"
_ITERATIONS = "iters:0"
# Slots of RMSprop, and of AdaBelief.
_SLOT_KINDS = (("acc",), ("ms", "vs"))
_NAMED = 3


# --- names and layouts --------------------------------------------------------------------------


def file_key(name: str) -> str:
    """The key of a tensor by its attribute path: `a.b.0.weight` -> `a/b_0/weight:0`."""
    return re.sub(r"\.(\d+)(?=\.)", r"_\1", name).replace(".", "/") + ":0"


def to_file_layout(value: Array) -> Array:
    """A tensor of torch's as files keep it."""
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T if value.ndim == 2 else value


def from_file_layout(value: Array) -> Array:
    """A tensor of a file as torch wants it: the opposite of `to_file_layout`."""
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    return value.T if value.ndim == 2 else value


# --- weights ------------------------------------------------------------------------------------


def read_weights(base: Path, shapes: Shapes) -> dict[str, Array]:
    """The tensors of these names, from the files of their nets, as float32.

    What else the files hold is ignored.

    base  folder and beginning of the files' names, without the last underscore
    Raises WeightsError with all that a file lacks or holds in another shape: DeepFaceLab itself
    would begin such a net anew without a word.
    """
    found: dict[str, Array] = {}
    for net, names in _by_net(shapes).items():
        path = _weight_path(base, net)
        arrays = _read_arrays(path)
        keys = {name: file_key(name.removeprefix(f"{net}.")) for name in names}
        _check(path, arrays, {keys[name]: shapes[name] for name in names})
        found |= {
            name: from_file_layout(arrays[key]).astype(np.float32, copy=False)
            for name, key in keys.items()
        }
    return found


def write_weights(base: Path, tensors: Mapping[str, Array]) -> list[Path]:
    """Write the tensors, one file a net, and return the files.  Raises OutputError."""
    written = []
    for net, names in _by_net(tensors).items():
        arrays = {
            file_key(name.removeprefix(f"{net}.")): to_file_layout(tensors[name]) for name in names
        }
        written.append(_write(_weight_path(base, net), arrays))
    return written


def load_model(model: torch.nn.Module, base: Path) -> None:
    """Put a model's weights into a net; as `read_weights`, and nothing is changed if that fails."""
    import torch

    state = model.state_dict()
    found = read_weights(base, {name: tuple(value.shape) for name, value in state.items()})
    with torch.no_grad():
        for name, value in found.items():
            # A copy, as arrays lie over the bytes of their file and cannot be written to.
            state[name].copy_(torch.from_numpy(value.copy()))


def save_model(model: torch.nn.Module, base: Path) -> list[Path]:
    """Write a net's weights; as `write_weights`."""
    return write_weights(base, arrays_of(model.state_dict()))


def arrays_of(state: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Tensors as float32 arrays, which share memory with them where they can."""
    return {name: value.detach().float().cpu().numpy() for name, value in state.items()}


def _weight_path(base: Path, net: str) -> Path:
    return base.with_name(f"{base.name}_{net}.npy")


def _by_net(names: Iterable[str]) -> dict[str, list[str]]:
    """The names by what stands before their first dot."""
    nets: dict[str, list[str]] = {}
    for name in names:
        nets.setdefault(name.partition(".")[0], []).append(name)
    return nets


# --- state of the optimiser ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slots:
    """What an optimiser knows.

    iterations  updates so far
    values      tensors by the slot's kind and their name: `acc` (RMSprop), or `ms` and `vs`
                (AdaBelief)
    """

    iterations: int
    values: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)


def read_slots(path: Path, shapes: Shapes) -> Slots:
    """The slots of these tensors, of whichever optimiser wrote the file.

    shapes  by name; nets that DeepFaceLab calls otherwise than their file begin with its own name,
            such as `D_src.convs.0.weight` (`GAN.` for AMP) or `dis.convs.0.weight`
    Raises WeightsError where the file lacks one, or holds it in another shape.
    """
    arrays = _read_arrays(path)
    count = arrays.get(_ITERATIONS)
    if count is None or count.size != 1 or count.dtype.kind not in "iu":
        raise WeightsError(f"{path}: is no state of an optimiser: '{_ITERATIONS}' is no count")
    kinds = next(
        (kinds for kinds in _SLOT_KINDS if any(key.startswith(f"{kinds[0]}_") for key in arrays)),
        None,
    )
    if kinds is None:
        raise WeightsError(f"{path}: holds no slots of RMSprop (acc_) or AdaBelief (ms_, vs_)")
    keys = {kind: {name: _slot_key(kind, name) for name in shapes} for kind in kinds}
    wanted = {key: shapes[name] for named in keys.values() for name, key in named.items()}
    _check(path, arrays, wanted)
    return Slots(
        iterations=int(count.item()),
        values={
            kind: {name: from_file_layout(arrays[key]) for name, key in named.items()}
            for kind, named in keys.items()
        },
    )


def write_slots(path: Path, slots: Slots) -> Path:
    """Write an optimiser's state and return the file.  Raises OutputError."""
    arrays: dict[str, Any] = {_ITERATIONS: np.int64(slots.iterations)}
    for kind, named in slots.values.items():
        arrays |= {_slot_key(kind, name): to_file_layout(value) for name, value in named.items()}
    return _write(path, arrays)


def _slot_key(kind: str, name: str) -> str:
    return f"{kind}_{file_key(name).replace(':', '_')}:0"


# --- what a model remembers ---------------------------------------------------------------------

Value: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelData:
    """A model's `_data.dat`.

    iterations  0 says that the model is new, and nothing else of the file counts
    options     as the user gave them
    losses      (iterations since the last reset, 1 or 2): of the source and the target
    samples     the faces of the preview, lists of arrays in whatever layout the run had, or None
    """

    iterations: int
    options: Mapping[str, Value]
    losses: Array
    samples: Any = None


def read_data(path: Path) -> ModelData:
    """A model's `_data.dat`.  Raises InputError where it is damaged or no such file."""
    try:
        found = _read(path)
    except WeightsError as error:
        raise InputError(str(error)) from error
    if not isinstance(found, dict) or not isinstance(found.get("options"), dict):
        raise InputError(f"{path}: is no data of a model: it has no options")
    count = _plain(found.get("iter"))
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise InputError(f"{path}: is no data of a model: 'iter' is no count")
    options = {str(name): _plain(value) for name, value in found["options"].items()}
    wrong = [name for name, value in options.items() if not isinstance(value, Value)]
    if wrong:
        raise InputError(f"{path}: option '{wrong[0]}' is neither number nor text")
    return ModelData(
        iterations=count,
        options=options,
        losses=_losses(found.get("loss_history"), path),
        samples=found.get("sample_for_preview"),
    )


def write_data(path: Path, data: ModelData) -> Path:
    """Write a model's `_data.dat` and return it.  Raises OutputError."""
    fields = {
        "iter": data.iterations,
        "options": dict(data.options),
        "loss_history": data.losses.tolist(),
        "sample_for_preview": data.samples,
        "choosed_gpu_indexes": None,
    }
    return _write(path, fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model in a folder: what its user called it, its kind, and the beginning of its files."""

    name: str
    kind: str
    base: Path


def find_models(folder: Path) -> list[FoundModel]:
    """The models of a folder, the one that was saved last first."""
    found = []
    for path in sorted(folder.glob(f"*{DATA}"), key=_age):
        base = path.name.removesuffix(DATA)
        name, _, kind = base.rpartition("_")
        if kind in KINDS:
            found.append(FoundModel(name=name, kind=kind, base=path.with_name(base)))
    return found


def _age(path: Path) -> float:
    return -path.stat().st_mtime


def _losses(rows: Any, path: Path) -> Array:
    if not rows:
        return np.zeros((0, 2), np.float64)
    try:
        losses = np.array(rows, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: the losses are no rows of numbers") from error
    if losses.ndim != 2:
        raise InputError(f"{path}: the losses are no rows of numbers")
    return losses


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


# --- reading and writing ------------------------------------------------------------------------


def _read_arrays(path: Path) -> dict[str, Array]:
    found = _read(path)
    if not isinstance(found, dict):
        raise WeightsError(f"{path}: holds a {type(found).__name__} instead of named tensors")
    return {
        str(key): np.asarray(value)
        for key, value in found.items()
        if isinstance(value, np.ndarray | np.generic)
    }


def _read(path: Path) -> Any:
    try:
        return load_path(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({reason(error)})") from error
    except UnsafePickleError as error:
        raise WeightsError(f"{path}: refused, it {error}") from error
    except PickleError as error:
        raise WeightsError(f"{path}: {error}") from error


def _check(path: Path, arrays: Mapping[str, Array], wanted: Shapes) -> None:
    """Raise WeightsError unless all wanted tensors, given in torch's shapes, are there."""
    missing = [key for key in wanted if key not in arrays]
    other = []
    for key, shape in wanted.items():
        value = arrays.get(key)
        if value is None:
            continue
        seen = from_file_layout(value).shape
        if seen != shape:
            other.append(f"{key} is {value.shape}, must be {_file_shape(shape)}")
        elif value.dtype.kind != "f" or not np.isfinite(value).all():
            other.append(f"{key} holds no numbers")
    told = "; ".join(filter(None, (_listing("lacks ", missing), _listing("", other))))
    if told:
        raise WeightsError(f"{path}: not the weights of this net: {told}")


def _file_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return to_file_layout(np.broadcast_to(False, shape)).shape


def _listing(verb: str, items: list[str]) -> str:
    if not items:
        return ""
    rest = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return f"{verb}{', '.join(items[:_NAMED])}{rest}"


def _write(path: Path, value: Any) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as beside, beside.open("wb") as out:
            dump(value, out)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error
    return path
