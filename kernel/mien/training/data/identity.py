"""Which facesets a model learned from, so that another day's are compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InputError
from .dataset import FaceCache

_SIDES = {"source": "target", "target": "source"}


def identify(source: FaceCache, target: FaceCache) -> dict[str, Any]:
    """Plain values for a saved state: fingerprint, number of pictures and folder of both sides."""
    return {
        side: {
            "fingerprint": cache.fingerprint,
            "count": cache.count,
            "folder": str(cache.folder.resolve()),
        }
        for side, cache in (("source", source), ("target", target))
    }


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Sentences about facesets that are not the same as when the model was saved.

    before, now  as `identify` gives them; a side that `before` does not know is taken as it is
    Raises InputError where source and target have changed places.
    """
    two = all(
        sides["source"]["fingerprint"] != sides["target"]["fingerprint"]
        for sides in (before, now)
        if len(sides) > 1
    )
    if two and any(_moved(before, now, side, other) for side, other in _SIDES.items()):
        raise InputError(
            "source and target have changed places: this model learned "
            f"'{_folder(before, 'source', now)}' as its source and "
            f"'{_folder(before, 'target', now)}' as its target; exchange --source and --target, "
            "or train into another folder"
        )
    said = []
    for side in _SIDES:
        known = before.get(side)
        if known is None or known["fingerprint"] == now[side]["fingerprint"]:
            continue
        said.append(
            f"the {side} faceset '{now[side]['folder']}' is not the one of the last run: "
            f"{known['count']} pictures then, {now[side]['count']} now"
        )
    return said


def _moved(before: Mapping[str, Any], now: Mapping[str, Any], side: str, other: str) -> bool:
    """Whether what was `side` is `other` now, and is not on its own side any more."""
    known = before.get(side)
    if known is None or known["fingerprint"] == now[side]["fingerprint"]:
        return False
    by_name = known["folder"] == now[other]["folder"] != now[side]["folder"]
    return bool(known["fingerprint"] == now[other]["fingerprint"] or by_name)


def _folder(before: Mapping[str, Any], side: str, now: Mapping[str, Any]) -> str:
    return str(before.get(side, now[_SIDES[side]])["folder"])
