"""Writes a model's weights as one file of plain tensors."""
# ruff: noqa: TID253  (imported only when a model is exported)

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..atomic import whole_file
from ..errors import OutputError
from .contract import METADATA


def write_safetensors(tensors: Mapping[str, Tensor], path: Path, about: Mapping[str, Any]) -> None:
    """Write tensors by name; what the file is stands in its metadata.  Raises OutputError."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with whole_file(path) as beside:
        try:
            save_file(plain, beside, {"format": "pt", METADATA: json.dumps(dict(about))})
        except SafetensorError as error:  # its way of saying that the disk is full
            raise OutputError(f"{path}: cannot be written ({error})") from error
