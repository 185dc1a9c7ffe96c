"""Whether a saved model fits the net that the options ask for.  Light: needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...errors import InputError


def check_net(facts: Mapping[str, Any], config: Any, name: str) -> None:
    """Raise InputError where a saved model's facts speak of another net.

    config  a dataclass of the options on which the weights depend;  name  the model's
    """
    saved = facts.get("net")
    if not isinstance(saved, Mapping):
        raise InputError(f"it does not say what net it is, so it is no '{name}' model")
    wanted = {key: _plain(value) for key, value in asdict(config).items()}
    seen = {key: _plain(value) for key, value in saved.items()}
    other = [
        f"{key} is {seen.get(key)}, the options ask for {value}"
        for key, value in wanted.items()
        if seen.get(key) != value
    ]
    if other:
        raise InputError(
            f"it holds another net: {'; '.join(other)}.  Use the options it was begun with, "
            "or another folder"
        )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
