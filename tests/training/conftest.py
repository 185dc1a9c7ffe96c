"""Two tiny facesets and a tiny model for the tests of the training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mien.arrays import Image
from mien.faceset import FaceRecord, write_face
from mien.geometry import MEAN_FACE, crop_matrix, transform
from mien.stages import ModelProvider, NoOptions
from mien.testing.fakes import FakeContext
from mien.training.base import TrainBatch, TrainerState
from mien.training.course import train
from mien.training.data.recolour import no_transfer
from mien.training.learning.learners import Learners
from mien.training.learning.optimizers import Adam
from mien.training.options import TrainOptions
from mien.training.progress import TrainProgress, TrainReport
from mien.types import CropSpec, FaceType


def head_points(x: float = 120, y: float = 110, size: float = 90) -> np.ndarray:
    """68 points of a face of `size` pixels around (x, y) of a frame."""
    jaw = np.stack((np.linspace(-0.1, 1.1, 17), 0.5 + 0.6 * np.sin(np.linspace(0, np.pi, 17))), -1)
    points = np.concatenate((jaw, MEAN_FACE)) - 0.5
    return (points * size + (x, y)).astype(np.float32)


@pytest.fixture
def make_faceset(tmp_path: Path) -> Callable[..., Path]:
    """A faceset of `count` faces of one flat colour, each a little darker than the one before."""

    def make(name: str, colour: tuple[int, int, int], count: int = 5, **changes: object) -> Path:
        folder = tmp_path / name
        for index in range(count):
            points = head_points()
            matrix = crop_matrix(points, FaceType.FULL, 64)
            y = np.linspace(1, 0.5, 64)[:, None, None]
            image = (np.array(colour) * y * np.ones((1, 64, 1)) * (1 - 0.05 * index)).astype(
                np.uint8
            )
            values = {
                "face_type": FaceType.FULL,
                "size": 64,
                "matrix": matrix,
                "landmarks": transform(matrix, points),
                "frame_landmarks": points,
                "box": (75.0, 65.0, 165.0, 155.0),
                "frame_index": index,
            }
            write_face(
                folder, f"{index:05d}", image, FaceRecord(**(values | changes)), format="png"
            )  # type: ignore[arg-type]
        return folder

    return make


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny tensors lose more by threads than they win, most of all where tests run side by side."""
    torch.set_num_threads(1)


@dataclass(frozen=True)
class TinyNet:
    """What a tiny net is made by."""

    kernel: int = 3


class TinyTrainer:
    """A model of one convolution for each person; `poison` makes its loss NaN at that step."""

    input_size = output_size = 16

    def __init__(self, poison: int = -1) -> None:
        self.spec = CropSpec(size=16)
        self._poison, self.steps = poison, 0
        with torch.device("meta"):  # else torch's initialisers draw from the global generator
            both = {name: torch.nn.Conv2d(3, 3, 3, padding=1) for name in ("s", "t")}
        self.net = torch.nn.ModuleDict(both).to_empty(device="cpu")
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.uniform_(-0.2, 0.2, generator=generator)
        self.learners = Learners(
            model="tiny",
            config=TinyNet(),
            net=self.net,
            optimizer=Adam(self.net.parameters(), lr=0.01),
            judges={},
        )

    def step(self, batch: TrainBatch) -> Mapping[str, float]:
        losses = {}
        for name, side in (("s", batch.source), ("t", batch.target)):
            losses[name] = (self.net[name](side.warped) - side.face).square().mean()
        if self.steps == self._poison:
            losses["t"] = losses["t"] * float("nan")
        self.steps += 1
        optimizer = self.learners.optimizer
        optimizer.zero_grad()
        optimizer.backward(losses["s"] + losses["t"])
        optimizer.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def preview(self, batch: TrainBatch) -> Mapping[str, list[Image]]:
        return {"source": [face.permute(1, 2, 0).numpy() for face in batch.source.face]}

    def state(self) -> TrainerState:
        return self.learners.state()

    def load(self, state: TrainerState) -> None:
        self.learners.load(state)


def make_tiny(name: str = "tiny", poison: int = -1) -> ModelProvider:
    return ModelProvider(
        name=name,
        summary="One convolution",
        create=lambda options, context, generation: None,  # type: ignore[arg-type,return-value]
        train=lambda options, context: TinyTrainer(poison),
    )


@pytest.fixture
def run(tmp_path: Path, make_faceset: Callable[..., Path]) -> Callable[..., TrainReport]:
    """Trains a tiny model into `folder` on two facesets, with the options that are given."""
    source = make_faceset("source", (30, 60, 200))
    target = make_faceset("target", (200, 90, 20), 7)

    def go(
        folder: str = "model",
        provider: ModelProvider | None = None,
        own: Any = None,
        restore: int | None = None,
        progress: Callable[[TrainProgress], None] = lambda event: None,
        transfer: Callable[[str], Any] = no_transfer,
        **options: Any,
    ) -> TrainReport:
        values = {"batch_size": 2, "preview_every": 0, "deterministic": True, "iterations": 20}
        return train(
            provider or make_tiny(),
            own or NoOptions(),
            FakeContext(threads=1, seed=11),
            source=source,
            target=target,
            folder=tmp_path / folder,
            train_options=TrainOptions(**(values | options)),
            restore=restore,
            progress=progress,
            transfer=transfer,
        )

    return go
