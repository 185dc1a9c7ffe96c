"""The protocol between the training loop, which the kernel owns, and a model plugin.

A model's ``train`` gives a Trainer; the loop feeds it batches, saves its state, shows its
previews.  Tensors are NCHW float32 BGR 0..1 on the trainer's device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..types import CropSpec

if TYPE_CHECKING:
    import torch

    from ..arrays import Image
    from .learning.learners import Learners


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One person's half of a batch.

    warped  (N, 3, I, I) what the net sees;  face (N, 3, O, O) what it shall give back
    mask    (N, 1, O, O) where the face is;  focus (N, 1, O, O) where eyes and mouth are
    """

    warped: torch.Tensor
    face: torch.Tensor
    mask: torch.Tensor
    focus: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainBatch:
    """What one step learns from."""

    source: Side
    target: Side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainerState:
    """All that a checkpoint must hold.

    weights    tensor by name, what a swap needs;  optimizer  tensor by name, what training needs
    facts      plain JSON values, such as the architecture that the weights belong to
    """

    weights: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, torch.Tensor] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


class Trainer(Protocol):
    """A model while it learns.

    It draws no random numbers of its own but from generators whose state is in `state`, so that
    a training which was interrupted goes on as if it had not been.
    """

    @property
    def input_size(self) -> int:
        """Side of `Side.warped` in pixels."""
        ...

    @property
    def output_size(self) -> int:
        """Side of `Side.face` and `Side.mask` in pixels."""
        ...

    @property
    def spec(self) -> CropSpec:
        """The crops that it learns from; its face type is the model's."""
        ...

    @property
    def learners(self) -> Learners:
        """The nets that learn, and their optimizers: the loop sets rates, averages, memory."""
        ...

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        """One step of learning; the losses by name, before the update.

        Runs under the loop's autocast: losses must be computed in float32.
        """
        ...

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        """Columns of the preview sheet, by title: one float32 BGR 0..1 picture per sample."""
        ...

    def state(self) -> TrainerState:
        """Everything; the tensors may share memory with the net, so use them before `step`."""
        ...

    def load(self, state: TrainerState) -> None:
        """Go on from `state`.  Raises InputError where it belongs to another architecture."""
        ...
