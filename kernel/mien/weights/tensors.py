"""Files of tensors, whoever wrote them, as plain arrays; and a net that takes them strictly."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of a weight file by its key.

    Reads safetensors and torch files.  A `state_dict` around the tensors and `module.` before the
    keys are removed.  Raises WeightsError where the file is damaged, or asks for anything else
    than tensors.
    """
    import torch

    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return dict(load_file(path))
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path}: cannot be read as weights: {error}") from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    return {
        str(key).removeprefix("module."): np.asarray(value.float())
        for key, value in found.items()
        if isinstance(value, torch.Tensor)
    }


def load_into(
    module: Any, tensors: Mapping[str, NDArray[Any]], source: Path, *, title: str
) -> None:
    """Put `tensors` into a torch module, strictly.

    title  of the net, for the message: WeightsError says which keys are missing, unexpected, or of
    another shape.  A missing `num_batches_tracked` is no mistake: some files lack it.
    """
    import torch

    wanted = module.state_dict()
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = sorted(wanted.keys() - tensors.keys() - counters)
    extra = sorted(tensors.keys() - wanted.keys())
    shapes = [
        f"{key} is {tuple(tensors[key].shape)}, must be {tuple(wanted[key].shape)}"
        for key in wanted.keys() & tensors.keys()
        if tuple(tensors[key].shape) != tuple(wanted[key].shape)
    ]
    reasons = [_listing("lacks", missing), _listing("holds besides", extra), "; ".join(shapes[:3])]
    told = "; ".join(reason for reason in reasons if reason)
    if told:
        raise WeightsError(f"{source}: not the weights of {title}: {told}")
    state = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in tensors.items()}
    module.load_state_dict({**{key: wanted[key] for key in counters}, **state}, strict=True)


def _listing(verb: str, keys: list[str]) -> str:
    if not keys:
        return ""
    rest = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"{verb} {', '.join(keys[:3])}{rest}"
