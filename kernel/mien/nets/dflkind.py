"""How DeepFaceLab keeps a model of one kind: its files beside the net's, and its options.

Light: the card of a plugin holds one.  `mien.export.dflmodels` reads and writes by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFiles:
    """Where a discriminator lies.

    weights, slots  what stands behind the model's base, such as `GAN` and `GAN_opt`
    scope  what the program calls the net in the names of its slots
    """

    weights: str
    slots: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DflKind:
    """One kind of model.

    name    DeepFaceLab's name of it, as in `anna_SAEHD_data.dat`
    ours    (its options) -> our plugin's, plain values; raises ConfigError for what we do not know
    theirs  (our plugin's options) -> all of its options that the model depends on
    judges  by the name of the judge in the trainer's `learners`
    untrained  beginnings of the names of weights that its optimizer does not know
    whole   what stands behind the base of its only file, for a net that is not kept in parts; such
            a model has no name of its own
    fixed   our options that are never otherwise there
    losses  what it keeps of every iteration
    """

    name: str
    ours: Callable[[Mapping[str, Any]], dict[str, Any]]
    theirs: Callable[[Any], dict[str, Any]]
    judges: Mapping[str, JudgeFiles] = field(default_factory=dict)
    untrained: tuple[str, ...] = ()
    whole: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    losses: tuple[str, ...] = ("source", "target")

    def base(self, name: str) -> str:
        """How the files of a model of this name begin."""
        return self.name if self.whole else f"{name}_{self.name}"


_FACE_TYPES = {"h": "half", "mf": "mid", "f": "full", "wf": "whole", "head": "head"}


def take(
    options: Mapping[str, Any], names: Mapping[str, type], needed: Sequence[str] = ()
) -> dict[str, Any]:
    """Those options that are there, as the type that they have here.

    Raises ConfigError where one is missing that is needed.
    """
    missing = [name for name in needed if name not in options]
    if missing:
        raise ConfigError(f"its {', '.join(missing)} is not said")
    return {name: kind(options[name]) for name, kind in names.items() if name in options}


def is_on(value: Any) -> bool:
    """A switch of its: a boolean in old models, `n`, `y` or `cpu` in newer ones."""
    return value not in (False, None, "n")


def our_face_type(theirs: Any) -> str:
    """Our word for how much of the head a crop shows.  Raises ConfigError for one it has not."""
    if theirs not in _FACE_TYPES:
        raise ConfigError(f"face_type: must be one of {', '.join(_FACE_TYPES)}, is '{theirs}'")
    return _FACE_TYPES[theirs]


def their_face_type(ours: str) -> str:
    """Its word for a face type of ours; the nearest where it has none."""
    plain = ours.removesuffix("-upright")
    return next(theirs for theirs, name in _FACE_TYPES.items() if name == plain)
