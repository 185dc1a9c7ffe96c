"""Files of tensors, whoever wrote them, as plain arrays; and a net that takes them strictly."""

from __future__ import annotations

import pickle
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from . import pickles
from .formats import Format, tell_format

Tensors = dict[str, NDArray[Any]]

_INSIDE_ZIP = (".pth", ".pt", ".tar", ".safetensors", ".caffemodel", ".npy")
_LARGEST_IN_ZIP = 4 << 30
_NAMED = 3


def read_tensors(path: Path) -> Tensors:
    """Every tensor of a weight file by its key; floats as float32, whole numbers as they are.

    Reads safetensors, torch files old and new, the pickled dicts of DeepFaceLab, Caffe models,
    NumPy archives, and a zip around one of these; the content decides, not the name.  A
    `state_dict` around the tensors and `module.` before the keys are removed.  Raises WeightsError
    where the file is damaged, or asks for anything else than tensors.
    """
    kind = tell_format(path)
    readers = {
        Format.SAFETENSORS: _read_safetensors,
        Format.TORCH: _read_torch,
        Format.OLD_TORCH: _read_torch,
        Format.PICKLE: _read_pickle,
        Format.CAFFE: _read_caffe,
        Format.NPZ: _read_npz,
        Format.ZIP: _read_zip,
    }
    if kind not in readers:
        raise WeightsError(f"{path}: is no file of weights, but {kind}")
    found = readers[kind](path)
    if not found:
        raise WeightsError(f"{path}: holds no tensors")
    return {
        key.removeprefix("module."): value.astype(np.float32, copy=False)
        if value.dtype.kind == "f"
        else value
        for key, value in found.items()
    }


def load_into(
    module: Any, tensors: Mapping[str, NDArray[Any]], source: Path, *, title: str
) -> None:
    """Put `tensors` into a torch module, strictly.

    title  of the net, for the message: WeightsError says which keys are missing, unexpected, or of
    another shape, and where a tensor holds what is no number.  A missing `num_batches_tracked` is
    no mistake: some files lack it.
    """
    import torch

    wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    _compare(wanted, tensors, source, title)
    for key, value in tensors.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise WeightsError(f"{source}: damaged weights of {title}: {key} holds no numbers")
    # Arrays may be read-only views of the file; torch wants to be able to write.
    state = {key: torch.from_numpy(np.require(v, None, ["C", "W"])) for key, v in tensors.items()}
    module.load_state_dict(state, strict=False)


def _compare(
    wanted: Mapping[str, tuple[int, ...]],
    tensors: Mapping[str, NDArray[Any]],
    source: Path,
    title: str,
) -> None:
    """Raise WeightsError unless the tensors are those that a net wants."""
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    shapes = [
        f"{key} is {tensors[key].shape}, must be {shape}"
        for key, shape in wanted.items()
        if key in tensors and tensors[key].shape != shape
    ]
    reasons = [
        _listing("lacks", sorted(wanted.keys() - tensors.keys() - counters)),
        _listing("holds besides", sorted(tensors.keys() - wanted.keys())),
        _listing("", shapes),
    ]
    told = "; ".join(reason for reason in reasons if reason)
    if told:
        raise WeightsError(f"{source}: not the weights of {title}: {told}")


def _listing(verb: str, keys: list[str]) -> str:
    if not keys:
        return ""
    rest = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{verb} {', '.join(keys[:_NAMED])}{rest}".strip()


def _read_safetensors(path: Path) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _arrays(load_file(path), path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: damaged weights: {_first_line(error)}") from error


def _read_torch(path: Path) -> Tensors:
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: {_refusal(str(error))}") from error
    except Exception as error:  # a damaged file may show itself in any way
        raise WeightsError(f"{path}: damaged weights: {_first_line(error)}") from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping):
        raise WeightsError(f"{path}: holds a {type(found).__name__} instead of named tensors")
    named = {str(key): value for key, value in found.items() if isinstance(value, torch.Tensor)}
    return _arrays(named, path)


def _refusal(text: str) -> str:
    """Why torch did not unpickle a file, in our words."""
    found = re.search(r"GLOBAL ([\w.]+)", text)
    if found:
        return f"refused, it asks for {found[1]}, which no weight file needs"
    return "damaged weights: its list of tensors cannot be read"


def _arrays(named: Mapping[str, Any], path: Path) -> Tensors:
    """Torch tensors as arrays.

    A few bytes can be presented as a tensor of any size; such a one would fill the memory.
    """
    size = sum(value.numel() * value.element_size() for value in named.values())
    if size > 2 * path.stat().st_size:  # a tensor may stand under two names
        raise WeightsError(f"{path}: damaged weights: its tensors are larger than the file")
    try:
        return {
            key: (value.float() if value.is_floating_point() else value).detach().numpy()
            for key, value in named.items()
        }
    except (TypeError, RuntimeError) as error:  # sparse, quantised and the like
        raise WeightsError(f"{path}: holds tensors of an unknown kind") from error


def _read_pickle(path: Path) -> Tensors:
    try:
        found = pickles.load_path(path)
    except pickles.UnsafePickleError as error:
        raise WeightsError(f"{path}: refused, it {error}") from error
    except pickles.PickleError as error:
        raise WeightsError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{path}: holds a {type(found).__name__} instead of named tensors")
    return {
        str(key): np.asarray(value)
        for key, value in found.items()
        if isinstance(value, (np.ndarray, np.generic))
    }


def _read_caffe(path: Path) -> Tensors:
    from .caffe import read_caffemodel

    return read_caffemodel(path)


def _read_npz(path: Path) -> Tensors:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {str(key): np.asarray(archive[key]) for key in archive.files}
    except Exception as error:  # a damaged archive may show itself in any way
        raise WeightsError(f"{path}: damaged weights: {_first_line(error)}") from error


def _read_zip(path: Path) -> Tensors:
    """The one weight file inside of a zip, as faceswap and others publish theirs."""
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        members = [
            member
            for member in archive.infolist()
            if member.filename.endswith(_INSIDE_ZIP) and not member.filename.startswith("__MACOSX")
        ]
        if len(members) != 1:
            inside = ", ".join(member.filename for member in members) or "none"
            raise WeightsError(
                f"{path}: a zip archive must hold one file of weights, holds {inside}; unpack it"
            )
        (member,) = members
        if member.file_size > min(_LARGEST_IN_ZIP, 100 * member.compress_size):
            raise WeightsError(f"{path}: {member.filename} would unpack to far too much")
        try:
            unpacked = Path(archive.extract(member, folder))
        except Exception as error:  # a damaged archive may show itself in any way
            raise WeightsError(f"{path}: damaged archive: {_first_line(error)}") from error
        if tell_format(unpacked) is Format.ZIP:
            raise WeightsError(f"{path}: a zip archive in a zip archive; unpack it")
        try:
            return read_tensors(unpacked)
        except WeightsError as error:
            named = str(error).replace(str(unpacked), f"{path}, {member.filename}")
            raise WeightsError(named) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition(". ")[0].strip()[:200]
