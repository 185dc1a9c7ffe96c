"""What a DFM file is: the names and shapes by which live programs know a model.

A DFM is an ONNX file whose tensors are float32, channels last, BGR, 0..1; N is free:

    in_face:0             (N, R, R, 3)  the target's face
    morph_value:0         (1,)          how much of the source it shows; of AMP only
    out_face_mask:0       (N, R, R, 1)  where the target's own face is
    out_celeb_face:0      (N, R, R, 3)  the swap
    out_celeb_face_mask:0 (N, R, R, 1)  where the swap's face is

The format has no place for how much of the head a crop shows.  Files written here say it in the
metadata that ONNX allows, where programs that do not look for it are not disturbed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..types import FaceType

IN_FACE, IN_MORPH = "in_face:0", "morph_value:0"
OUT_TARGET_MASK, OUT_SWAP, OUT_SWAP_MASK = (
    "out_face_mask:0",
    "out_celeb_face:0",
    "out_celeb_face_mask:0",
)
OUTPUTS = (OUT_TARGET_MASK, OUT_SWAP, OUT_SWAP_MASK)
OPSET = 12
METADATA = "mien"
"""Key of what is said about the model, as JSON, in any file that this program exports."""

_CHANNELS = {IN_FACE: 3, OUT_TARGET_MASK: 1, OUT_SWAP: 3, OUT_SWAP_MASK: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class DfmFacts:
    """What a DFM file says of itself.

    size       side of the faces in pixels;  morphs  whether it has the second input
    face_type  how much of the head it was trained on, None where the file does not say
    batch      how many faces it takes at once, 0 for any number
    """

    size: int
    morphs: bool
    face_type: FaceType | None
    batch: int = 0


Described = tuple[str, Sequence[Any], str]
"""Name, shape and type of an input or output; sides of the shape that are free are no numbers."""


def read_facts(path: Path) -> DfmFacts:
    """Look into a file without running it.

    Raises InputError, which says what a DFM has, where it is none; PluginError without onnxruntime.
    """
    from ..onnx import import_onnxruntime

    ort = import_onnxruntime()
    if not path.is_file():
        raise InputError(f"model '{path}': no such file")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has a dozen classes with no common base
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"model '{path}': is no ONNX file that can be run: {lines[0]}") from error
    takes, gives = (
        [(each.name, each.shape, each.type) for each in found]
        for found in (session.get_inputs(), session.get_outputs())
    )
    return check_facts(path, takes, gives, session.get_modelmeta().custom_metadata_map)


def check_facts(
    path: Path,
    inputs: Sequence[Described],
    outputs: Sequence[Described],
    metadata: Mapping[str, str],
) -> DfmFacts:
    """The facts of a file with these tensors: name, shape and type.  Raises InputError."""
    shapes = {name: list(shape) for name, shape, _ in (*inputs, *outputs)}
    taken = [name for name, _, _ in inputs]
    problems = [
        f"has no {'input' if name == IN_FACE else 'output'} '{name}'"
        for name in (IN_FACE, *OUTPUTS)
        if name not in shapes
    ]
    problems += [f"asks for '{name}'" for name in taken if name not in (IN_FACE, IN_MORPH)]
    if not problems:
        problems += [
            f"'{name}' is {type_}, must be float32"
            for name, _, type_ in (*inputs, *outputs)
            if type_ != "tensor(float)"
        ]
        side = shapes[IN_FACE][1] if len(shapes[IN_FACE]) == 4 else None
        problems += [
            f"'{name}' is {_shown(shapes[name])}, must be {_wanted(side, count)}"
            for name, count in _CHANNELS.items()
            if not _fits(shapes[name], side, count)
        ]
    if problems:
        raise InputError(
            f"model '{path}': is no DFM file: {'; '.join(problems)}.  A DFM takes '{IN_FACE}' and "
            f"perhaps '{IN_MORPH}', and gives {', '.join(OUTPUTS)}"
        )
    batch, size = shapes[IN_FACE][:2]
    return DfmFacts(
        size=int(size),
        morphs=IN_MORPH in taken,
        face_type=_face_type(metadata),
        batch=batch if isinstance(batch, int) else 0,
    )


def _fits(shape: Sequence[Any], side: Any, channels: int) -> bool:
    """Whether a shape is (N, side, side, channels); what the file leaves open may be anything."""
    if len(shape) != 4 or not isinstance(side, int) or side < 1:
        return False
    wanted = (side, side, channels)
    return all(
        not isinstance(seen, int) or seen == want
        for seen, want in zip(shape[1:], wanted, strict=True)
    )


def _wanted(side: Any, channels: int) -> str:
    shown = str(side) if isinstance(side, int) else "R"
    return f"(N, {shown}, {shown}, {channels})"


def _shown(shape: Sequence[Any]) -> str:
    return f"({', '.join(str(part) for part in shape)})"


def _face_type(metadata: Mapping[str, str]) -> FaceType | None:
    try:
        return FaceType(json.loads(metadata[METADATA])["face_type"])
    except (KeyError, ValueError, TypeError):
        return None
