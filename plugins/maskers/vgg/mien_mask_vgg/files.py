"""Weights of the two nets under the names of faceswap, of Caffe, or of a torch port of Caffe's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.weights.tensors import load_into, read_tensors
from numpy.typing import NDArray

from .config import NetConfig

if TYPE_CHECKING:
    from .net import FaceSegmenter


def load_net(path: Path, config: NetConfig) -> FaceSegmenter:
    """The torch net with the weights of a file.

    Raises WeightsError where the file is damaged or of another net.
    """
    from .net import empty_net

    net = empty_net(config)
    load_into(net, to_own_names(read_tensors(path)), path, title=config.name)
    return net


def to_own_names(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors under the net's own names, which are Caffe's.

    faceswap has `conv3.convs.2.weight` for conv3_2 (a ReLU stands between), `score_pool4.conv` for
    score_pool4, and, as Caffe's clear net, `score_fr_r` for score_fr.  Caffe's own scale layers go
    into the weights behind them.
    """
    named = {_own_name(key): value for key, value in tensors.items()}
    for pool, scale in (("pool4", 0.01), ("pool3", 0.0001)):
        factors = named.pop(f"scale_{pool}.weight", None)
        weight = named.get(f"score_{pool}.weight")
        if factors is not None and weight is not None:
            named[f"score_{pool}.weight"] = weight * (factors.reshape(-1, 1, 1) / scale)
    return named


def _own_name(key: str) -> str:
    group = re.fullmatch(r"conv(\d)\.convs\.(\d)\.(weight|bias)", key)
    if group:
        return f"conv{group[1]}_{int(group[2]) // 2 + 1}.{group[3]}"
    return key.replace(".conv.", ".").replace("_r.", ".")
