"""Quick96 as DeepFaceLab keeps it: it asks nothing, so there is little to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.nets.dflkind import DflKind


def ours(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Its options as ours."""
    return {"parity": True}


def theirs(ours: Any) -> dict[str, Any]:
    """All that it keeps."""
    return {"batch_size": 4}


DFL = DflKind(name="Quick96", ours=ours, theirs=theirs)
