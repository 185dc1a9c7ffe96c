"""What the loop does to every model alike: number formats, rates, averages, memory, processes.

A model says what one step is; everything here reaches it through its `learners`.
"""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import ConfigError
from .base import Trainer, TrainerState
from .learning.clipping import make_clipping
from .learning.optimizers import Scale
from .learning.state import load_weights
from .options import TrainOptions
from .processes import Processes

_RAW = "raw:"
"""Before the names of the weights as they are, where a generation's own are averages."""


class Engine:
    """One training's way of computing."""

    def __init__(
        self, trainer: Trainer, options: TrainOptions, device: torch.device, processes: Processes
    ) -> None:
        """Set up nets and optimizers.  Raises ConfigError where the device cannot do it."""
        self._trainer, self._options, self._device = trainer, options, device
        self.format = number_format(device, options.precision)
        self.factor = 1.0
        """What the rate was lowered to after losses that were no numbers."""
        learners = trainer.learners
        if _wants(options.channels_last, device):
            for net in learners.nets:
                net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if options.freeze:
            _freeze(learners.net, options.freeze)
        if options.checkpointing:
            _checkpoint_parts(learners.net)
        if _wants(options.compile, device):
            mode = "reduce-overhead" if options.compile == "graphs" else "default"
            _compile_parts(learners.net, mode)
            for judge in learners.nets[1:]:
                judge.compile(dynamic=False, mode=mode)
        scale = Scale() if self.format == torch.float16 else None
        for optimizer in learners.optimizers:
            optimizer.gather = options.accumulate
            optimizer.share = processes.share
            optimizer.place = processes.rank, processes.count
            optimizer.scale = scale
            optimizer.clip = options.clip or optimizer.clip
            optimizer.clipping = make_clipping(options.clip_by, options.clip, options.clip_history)
            optimizer.home = torch.device("cpu") if options.offload else None
        self._average = _Average(learners.net, options.average) if options.average else None

    @contextlib.contextmanager
    def step(self, iteration: int) -> Iterator[None]:
        """Around a step of the model: the rate, the number format; afterwards the average."""
        rate = self.factor * self._options.rate * self.rate_at(iteration)
        for optimizer in self._trainer.learners.optimizers:
            optimizer.factor = rate
        if self._options.compile == "graphs":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with self.computing():
            yield
        if self._average is not None:
            self._average.follow(iteration)

    def computing(self) -> contextlib.AbstractContextManager[Any]:
        """The number format of the nets."""
        if self.format == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=self.format)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """While this lasts, the net has its averaged weights, where there are any."""
        if self._average is None:
            yield
            return
        with self._average.shown():
            yield

    def rate_at(self, iteration: int) -> float:
        """What the schedule makes of the learning rate: 1 but for its beginning and end."""
        options = self._options
        rate = min(1.0, (iteration + 1) / options.warm_up) if options.warm_up else 1.0
        if options.schedule == "cosine" and options.iterations:
            part = min(1.0, iteration / options.iterations)
            rate *= 0.01 + 0.99 * (1 + math.cos(math.pi * part)) / 2
        return rate

    def restart(self) -> None:
        """Begin the average anew: the net was changed from outside."""
        if self._average is not None:
            self._average.load(self._trainer.learners.net.state_dict())

    # --- saving ---------------------------------------------------------------------------------

    def state(self) -> TrainerState:
        """The model's state; with averages these are its weights, and the raw ones lie beside."""
        state = self._trainer.state()
        if self._average is None:
            return state
        raw = {f"{_RAW}{name}": value for name, value in state.weights.items()}
        return replace(state, weights=self._average.weights, optimizer={**state.optimizer, **raw})

    def load(self, state: TrainerState) -> None:
        """Give the model its state back.  Raises InputError where it belongs to another net."""
        averages, rest = state.weights, dict[str, Tensor]()
        raw = dict[str, Tensor]()
        for name, value in state.optimizer.items():
            if name.startswith(_RAW):
                raw[name.removeprefix(_RAW)] = value
            else:
                rest[name] = value
        self._trainer.load(replace(state, weights=raw or averages, optimizer=rest))
        if self._average is not None:
            self._average.load(averages)


class _Average:
    """The running mean of a net's weights, which swaps better than the weights of any one step."""

    def __init__(self, net: nn.Module, keep: float) -> None:
        self._net, self._keep = net, keep
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def follow(self, iteration: int) -> None:
        """Take in the net as it is now; early on quickly, later as `keep` says."""
        part = 1 - min(self._keep, (1 + iteration) / (10 + iteration))
        own = self._net.state_dict()
        moving = [name for name, value in own.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.weights[name] for name in moving], [own[name] for name in moving], part
        )

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        raw = {name: value.detach().clone() for name, value in self._net.state_dict().items()}
        load_weights(self._net, self.weights)
        try:
            yield
        finally:
            load_weights(self._net, raw)

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        for name, value in self.weights.items():
            value.copy_(weights[name])


def number_format(device: torch.device, precision: str) -> torch.dtype:
    """What nets compute in; `auto` takes bfloat16 on a GPU that is good at it.

    Raises ConfigError for float16 on a CPU, where it is a hundred times slower.
    """
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("train.precision: fp16 is for GPUs; take bf16 or fp32 on a CPU")
    if precision == "auto":
        good = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if good else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def check_engine(device: torch.device, options: TrainOptions) -> None:
    """Raise ConfigError, with every problem, where options contradict each other or the device."""
    problems = list[str]()
    try:
        number_format(device, options.precision)
    except ConfigError as error:
        problems += error.problems
    if options.compile == "graphs" and device.type != "cuda":
        problems.append(
            "train.compile: graphs are CUDA's, and this training runs on the "
            f"{device.type.upper()}; take on, off or auto"
        )
    if options.compile == "graphs" and options.checkpointing:
        problems.append(
            "train.compile: graphs keep all memory of a step, which train.checkpointing is there "
            "to save; take one of them"
        )
    if options.clip_by != "norm" and not options.clip:
        usual = "10, the percentile" if options.clip_by == "auto" else "1"
        problems.append(
            f"train.clip_by: {options.clip_by} needs train.clip; set it to {usual}, for instance"
        )
    if options.clip_by == "auto" and options.clip > 100:
        problems.append(
            f"train.clip: is the percentile where train.clip_by is auto, so at most 100, is "
            f"{options.clip:g}"
        )
    if options.warm_up >= options.iterations > 0 and options.schedule == "cosine":
        problems.append(
            f"train.warm_up: {options.warm_up} iterations leave nothing of the "
            f"{options.iterations} for the cosine; take fewer"
        )
    if problems:
        raise ConfigError(problems)


def _wants(choice: str, device: torch.device) -> bool:
    return choice in ("on", "graphs") or (choice == "auto" and device.type == "cuda")


def _compile_parts(net: nn.Module, mode: str) -> None:
    """Let torch compile the parts that are called as a whole: one code for all of their layers."""
    for part in net.children():
        part.compile(dynamic=False, mode=mode)


def _freeze(net: nn.Module, beginnings: tuple[str, ...]) -> None:
    """Keep weights as they are.  Raises ConfigError where no weight's name begins so."""
    for beginning in beginnings:
        names = [name for name, _ in net.named_parameters() if _is_part(name, beginning)]
        if not names:
            parts = ", ".join(dict.fromkeys(n.partition(".")[0] for n, _ in net.named_parameters()))
            raise ConfigError(
                f"train.freeze: the net has no part '{beginning}'; its parts are {parts}"
            )
    left = 0
    for name, weight in net.named_parameters():
        if any(_is_part(name, beginning) for beginning in beginnings):
            weight.requires_grad_(False)
        left += weight.requires_grad
    if not left:
        raise ConfigError("train.freeze: freezes the whole net, so there is nothing to learn")


def _is_part(name: str, beginning: str) -> bool:
    return name == beginning or name.startswith(f"{beginning}.")


def _checkpoint_parts(net: nn.Module) -> None:
    """Parts forget what they computed on the way and compute it again for the gradients."""
    for part in net.children():
        forward = part.forward

        def again(*inputs: Any, _forward: Any = forward) -> Any:
            return checkpoint(_forward, *inputs, use_reentrant=False)

        part.forward = again
