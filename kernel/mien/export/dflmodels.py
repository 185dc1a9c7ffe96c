# ruff: noqa: TID253 - imported only where such a model is read or written
"""A whole model of DeepFaceLab's, into a trainer's nets and optimizers, and back into its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..nets.dflfiles import (
    Array,
    Slots,
    arrays_of,
    load_model,
    read_slots,
    save_model,
    write_slots,
)
from ..nets.dflkind import DflKind, JudgeFiles
from ..training.learning.learners import Learners
from ..training.learning.optimizers import AdaBelief, FaceOptimizer

SLOTS = "src_dst_opt"


def load_files(learners: Learners, base: Path, kind: DflKind) -> list[str]:
    """Put a model's files into the nets and optimizers that learn; what was left out, in sentences.

    base  folder and beginning of the files' names.  Nets must be there; a judge or an optimizer
    whose file is missing begins anew, as it does in DeepFaceLab.
    Raises WeightsError where a file is damaged or belongs to another net.
    """
    load_model(_in_files(learners.net, kind), base)
    known = dict(_trained(learners.net, kind))
    notes = _load_slots(learners.optimizer, known, _beside(base, _slots_name(kind)))
    for name, judge in learners.judges.items():
        files = kind.judges[name]
        path = _beside(base, files.weights)
        if not path.exists():
            notes.append(f"{path.name} is not there: the judge begins anew")
            continue
        load_model(nn.ModuleDict({files.weights: judge.net}), base)
        scoped = _scoped(judge.net, files)
        notes += _load_slots(judge.optimizer, scoped, _beside(base, files.slots))
    return notes


def save_files(learners: Learners, base: Path, kind: DflKind) -> list[Path]:
    """Write nets, judges and optimizers as a model's files, and return them."""
    written = save_model(_in_files(learners.net, kind), base)
    known = dict(_trained(learners.net, kind))
    written.append(_save_slots(learners.optimizer, known, _beside(base, _slots_name(kind))))
    for name, judge in learners.judges.items():
        files = kind.judges[name]
        written += save_model(nn.ModuleDict({files.weights: judge.net}), base)
        scoped = _scoped(judge.net, files)
        written.append(_save_slots(judge.optimizer, scoped, _beside(base, files.slots)))
    return written


def _trained(net: nn.Module, kind: DflKind) -> list[tuple[str, nn.Parameter]]:
    scope = f"{kind.name}." if kind.whole else ""
    return [
        (f"{scope}{name}", weight)
        for name, weight in net.named_parameters()
        if not name.startswith(kind.untrained or "\n")
    ]


def _in_files(net: nn.Module, kind: DflKind) -> nn.Module:
    """The net as its files have it: its parts, or itself as the only part."""
    return nn.ModuleDict({kind.whole: net}) if kind.whole else net


def _slots_name(kind: DflKind) -> str:
    return f"{kind.whole}_opt" if kind.whole else SLOTS


def _scoped(net: nn.Module, files: JudgeFiles) -> dict[str, nn.Parameter]:
    return {f"{files.scope}.{name}": weight for name, weight in net.named_parameters()}


def _load_slots(
    optimizer: FaceOptimizer, weights: Mapping[str, nn.Parameter], path: Path
) -> list[str]:
    if not path.exists():
        return [f"{path.name} is not there: the optimizer begins anew"]
    slots = read_slots(path, {name: tuple(weight.shape) for name, weight in weights.items()})
    optimizer.iters = slots.iterations
    wanted = set(_slot_kinds(optimizer))
    if set(slots.values) != wanted:
        # As DeepFaceLab does where the optimizer was changed: it counts on, and learns anew.
        theirs = " and ".join(slots.values)
        return [
            f"{path.name} holds {theirs}, of another optimizer than the model's options name; "
            "its running means begin anew"
        ]
    for kind, named in slots.values.items():
        for name, value in named.items():
            tensor = torch.from_numpy(value.astype("float32", copy=True, order="C"))
            optimizer.state[weights[name]][kind] = tensor.to(weights[name].device)
    return []


def _save_slots(optimizer: FaceOptimizer, weights: Mapping[str, nn.Parameter], path: Path) -> Path:
    named = {kind: _slots_of(optimizer, weights, kind) for kind in _slot_kinds(optimizer)}
    return write_slots(path, Slots(iterations=optimizer.iters, values=named))


def _slots_of(
    optimizer: FaceOptimizer, weights: Mapping[str, nn.Parameter], kind: str
) -> dict[str, Array]:
    """Zeros for weights that have not moved: the program's files hold a slot for every one."""
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        held = optimizer.state.get(weight, {}).get(kind)
        found[name] = torch.zeros_like(weight) if held is None else held
    return arrays_of(found)


def _slot_kinds(optimizer: FaceOptimizer) -> tuple[str, ...]:
    return ("ms", "vs") if isinstance(optimizer, AdaBelief) else ("acc",)


def _beside(base: Path, what: str) -> Path:
    return base.with_name(f"{base.name}_{what}.npy")
