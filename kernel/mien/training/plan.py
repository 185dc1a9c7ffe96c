"""A plan: the stages of a whole training, as artists run it by hand, in a TOML file.

    [[stage]]
    name = "shapes"
    until = { iterations = 20000 }
    [[stage]]
    name = "details"
    until = { plateau = 4000, minutes = 120 }     # whichever comes first
    train = { warp = 0.0 }
    model = { lr_dropout = true }

`train` and `model` hold for their stage alone; what is in neither is as the run says.  A stage
without `until` lasts as long as the run.  Which stage is due is kept with the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from ..errors import ConfigError
from ..options import option, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """When a stage is over: as soon as one of these is met; 0 does not count."""

    iterations: int = option(0, "Iterations within the stage", ge=0)
    minutes: float = option(0.0, "Time within the stage", unit="minutes", ge=0)
    plateau: int = option(
        0, "Iterations without progress on the held-out faces (`held_out`)", unit="iterations", ge=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStage:
    """One stage: its options beside those of the run, and its end."""

    name: str
    until: Until = field(default_factory=Until)
    train: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)


def read_plan(path: Path) -> tuple[PlanStage, ...]:
    """The stages of a plan.  Raises ConfigError that says what is wrong, and what may stand."""
    try:
        values = tomli.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"plan '{path}': cannot be read ({error.strerror})") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"plan '{path}': is no TOML ({error})") from error
    stages = values.pop("stage", None)
    if values or not isinstance(stages, Sequence) or isinstance(stages, str) or not stages:
        others = f"; '{next(iter(values))}' is unknown" if values else ""
        raise ConfigError(f"plan '{path}': must hold tables [[stage]] and nothing else{others}")
    read = tuple(_stage(path, number, stage) for number, stage in enumerate(stages, start=1))
    for number, stage in enumerate(read[:-1], start=1):
        if stage.until == Until():
            raise ConfigError(
                f"plan '{path}': stage {number} ('{stage.name}') never ends, but others follow; "
                "give it until = { iterations = N }, minutes or plateau"
            )
    return read


def _stage(path: Path, number: int, values: Any) -> PlanStage:
    where = f"plan '{path}': stage {number}"
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: must be a table")
    unknown = set(values) - {"name", "until", "train", "model"}
    if unknown:
        raise ConfigError(
            f"{where}: '{min(unknown)}' is unknown; it may hold name, until, train and model"
        )
    for key in ("until", "train", "model"):
        if not isinstance(values.get(key, {}), Mapping):
            raise ConfigError(f"{where}: {key} must be a table, such as {key} = {{ }}")
    try:
        until = parse(Until, values.get("until", {}))
    except ConfigError as error:
        raise ConfigError(f"{where}: until: {error}") from error
    return PlanStage(
        name=str(values.get("name", f"stage {number}")),
        until=until,
        train=dict(values.get("train", {})),
        model=dict(values.get("model", {})),
    )
