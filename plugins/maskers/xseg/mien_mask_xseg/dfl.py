"""XSeg as DeepFaceLab keeps it while it learns: one net, one size, hardly a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.nets.dflkind import DflKind, our_face_type, their_face_type


def ours(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Its options as ours.  Raises ConfigError for a face type that we do not know."""
    return {"face_type": our_face_type(theirs.get("face_type", "wf"))}


def theirs(ours: Any) -> dict[str, Any]:
    """All that it keeps."""
    return {
        "face_type": their_face_type(ours.face_type.value),
        "batch_size": 4,
        "pretrain": False,
    }


DFL = DflKind(
    name="XSeg",
    ours=ours,
    theirs=theirs,
    whole="256",
    fixed={"size": 256, "base": 32},
    losses=("mask",),
)
