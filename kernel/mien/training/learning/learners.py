"""A model's net and the judges beside it, with their optimizers: made, saved and loaded as one."""
# ruff: noqa: TID253  (only trainers import this module)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..base import TrainerState
from .adversary import Adversary
from .clipping import ByHistory
from .nets import check_net
from .optimizers import FaceOptimizer
from .state import load_slots, load_weights, save_slots

_NET, _NORMS = "net", "norms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learners:
    """What learns, by name; `judges` are not needed for a swap.

    model   name of the model, for messages;  config  the dataclass that its weights depend on
    people  beginnings of the names of weights that belong to the two people alone: they begin anew
            when a net that has learned faces in general meets them
    """

    model: str
    config: Any
    net: nn.Module
    optimizer: FaceOptimizer
    judges: Mapping[str, Adversary]
    people: tuple[str, ...] = ()

    @property
    def optimizers(self) -> tuple[FaceOptimizer, ...]:
        """The net's, then the judges'."""
        return tuple(optimizer for _, _, optimizer in self._each())

    @property
    def nets(self) -> tuple[nn.Module, ...]:
        """The net, then the judges."""
        return tuple(net for _, net, _ in self._each())

    def state(self) -> TrainerState:
        """Weights, the judges' weights, all slots, and the net's shape."""
        slots, steps = dict[str, Tensor](), dict[str, int]()
        for name, net, optimizer in self._each():
            slots |= save_slots(optimizer, net, f"{name}:")
            if isinstance(optimizer.clipping, ByHistory):
                slots[f"{name}:{_NORMS}"] = optimizer.clipping.norms
            steps[name] = optimizer.iters
            if name != _NET:
                slots |= {f"{name}.{key}": v.detach() for key, v in net.state_dict().items()}
        return TrainerState(
            weights={name: value.detach() for name, value in self.net.state_dict().items()},
            optimizer=slots,
            facts={"net": asdict(self.config), "steps": steps},
        )

    def load(self, state: TrainerState) -> None:
        """Go on from `state`; a judge that was not there, or of another size, begins anew.

        Raises InputError where the state belongs to another net.
        """
        check_net(state.facts, self.config, self.model)
        load_weights(self.net, state.weights)
        steps = state.facts.get("steps", {})
        for name, net, optimizer in self._each():
            if name != _NET:
                held = _held(name, net, state.optimizer)
                if held is None:
                    continue
                net.load_state_dict(held)
            load_slots(optimizer, net, state.optimizer, f"{name}:")
            optimizer.iters = int(steps.get(name, 0))
            norms = state.optimizer.get(f"{name}:{_NORMS}")
            if isinstance(optimizer.clipping, ByHistory) and norms is not None:
                optimizer.clipping.norms = norms

    def meet_people(self, fresh: Learners) -> None:
        """What belongs to the two people alone begins anew, as in a model that was just made."""
        begun = fresh.net.state_dict()
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if self.people and name.startswith(self.people):
                    value.copy_(begun[name])

    def _each(self) -> Iterator[tuple[str, nn.Module, FaceOptimizer]]:
        yield _NET, self.net, self.optimizer
        for name, judge in self.judges.items():
            yield name, judge.net, judge.optimizer


def _held(name: str, net: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """A judge's weights, None unless all are there in its own shapes."""
    found = {}
    for key, value in net.state_dict().items():
        stored = tensors.get(f"{name}.{key}")
        if stored is None or stored.shape != value.shape:
            return None
        found[key] = stored
    return found
