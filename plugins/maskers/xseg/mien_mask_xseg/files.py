"""XSeg's files: DeepFaceLab's arrays to torch's and back, and where a model folder keeps what.

Source: the layout of `XSeg_256.npy`, a pickled dict of arrays by TensorFlow's variable names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mien.errors import ConfigError, WeightsError
from mien.training import checkpoint
from mien.types import FaceType
from mien.weights.pickles import PickleError, load_path
from mien.weights.tensors import load_into, read_tensors
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .net import NetConfig, XSeg

NAMES = ("XSeg_256.npy", "XSeg_model.onnx")
DATA = "XSeg_data.dat"
_FACE_TYPES = {
    "h": FaceType.HALF,
    "mf": FaceType.MID,
    "f": FaceType.FULL,
    "wf": FaceType.WHOLE,
    "head": FaceType.HEAD,
}


def find_model(model: Path | None) -> Path:
    """The file of a model named by its file or its folder.

    Raises ConfigError where none is named, WeightsError where there is none.
    """
    if model is None:
        raise ConfigError(
            "masker.xseg.model: no XSeg model is named, and none is published: XSeg is trained for "
            "the faces at hand, with `mien train xseg` or DeepFaceLab's tools; name its folder, as "
            "[masker.xseg] model or --xseg-model"
        )
    if model.is_file():
        return model
    if checkpoint.read_card(model) is not None:
        return _newest(model).folder / checkpoint.WEIGHTS
    for name in NAMES:
        if (model / name).is_file():
            return model / name
    what = f"holds neither {NAMES[0]} nor {NAMES[1]}" if model.is_dir() else "does not exist"
    raise WeightsError(f"{model}: masker.xseg.model: {what}")


def trained_shape(model: Path | None) -> tuple[int, int]:
    """(side, channels of the first level) of a model: DeepFaceLab's have 256 and 32."""
    if model is not None and model.is_dir() and checkpoint.read_card(model) is not None:
        net = _newest(model).facts.get("net", {})
        return int(net.get("size", 256)), int(net.get("base", 32))
    return 256, 32


def _newest(model: Path) -> checkpoint.Generation:
    card, generation = checkpoint.read_card(model), checkpoint.latest(model)
    if card is not None and card.plugin != "xseg":
        raise WeightsError(
            f"{model}: masker.xseg.model: is a model of '{card.plugin}', which makes no masks alone"
        )
    if generation is None:
        raise WeightsError(f"{model}: masker.xseg.model: nothing is saved there yet")
    return generation


def trained_face_type(model: Path | None) -> FaceType | None:
    """The face type that the model's own data file names; None where it has none.

    Raises WeightsError where the data file is damaged.
    """
    if model is None:
        return None
    if model.is_dir() and (card := checkpoint.read_card(model)) is not None:
        return FaceType(card.face_type)
    path = (model if model.is_dir() else model.parent) / DATA
    if not path.is_file():
        return None
    try:
        data = load_path(path)
    except PickleError as error:
        raise WeightsError(f"{path}: {error}; name the face type with --xseg-face-type") from error
    options = data.get("options") if isinstance(data, dict) else None
    code = options.get("face_type") if isinstance(options, dict) else None
    return _FACE_TYPES.get(code) if isinstance(code, str) else None


def load_net(path: Path, config: NetConfig | None = None) -> XSeg:
    """The torch net with the weights of a file, ready to give masks.

    Reads DeepFaceLab's arrays, and torch's under the net's own names.  Raises WeightsError where
    the file is damaged or of another net.
    """
    from .net import XSeg

    net = XSeg(config)
    tensors = read_tensors(path)
    if any(key.endswith(":0") for key in tensors):
        tensors = from_dfl(tensors)
    load_into(net, tensors, path, title="XSeg")
    return net.eval()


def from_dfl(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Torch names and layouts: `conv01/conv/weight:0` (H, W, in, out) is `conv01.conv.weight`.

    Transposed convolutions (H, W, out, in) and dense layers (in, out) turn round by the same rule.
    """
    return {
        key.removesuffix(":0").replace("/", "."): np.ascontiguousarray(_turned(value))
        for key, value in tensors.items()
    }


def to_dfl(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The opposite of `from_dfl`."""
    return {
        key.replace(".", "/") + ":0": np.ascontiguousarray(_turned_back(value))
        for key, value in tensors.items()
    }


def _turned(value: NDArray[Any]) -> NDArray[Any]:
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T


def _turned_back(value: NDArray[Any]) -> NDArray[Any]:
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
