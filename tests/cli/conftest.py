"""A toy of every plugin, so that the whole program runs without any weights.

The toy detector finds one face in every frame that is not black, where the frame says: its centre.
The toy model turns the face's colours round, so that a swap can be seen in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mien.cli import run_program
from mien.config import KINDS
from mien.hooks import hookimpl
from mien.media.base import ClipInfo, OutputOptions, OutputPlan
from mien.media.plugin import open_source, open_writer
from mien.options import option
from mien.registry import Registry
from mien.stages import (
    AlignerProvider,
    Blended,
    BlendProvider,
    ColorTransferProvider,
    DetectorProvider,
    EmbedderProvider,
    MaskerProvider,
    ModelProvider,
    StageBase,
)
from mien.testing.fakes import face_at, picture
from mien.training import checkpoint
from mien.training.base import TrainerState
from mien.types import CropSpec, Detection, FaceType, Frame, Landmarks, Swap


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorOptions:
    faces: int = option(1, "How many faces it finds", ge=0, le=3)
    fail_at: int = option(-1, "Frame at which it breaks", ge=-1)


class ToyDetector(StageBase):
    batch_size = 4

    def __init__(self, options: DetectorOptions) -> None:
        self._options = options

    def __call__(self, batch: Sequence[Frame], /) -> list[tuple[Detection, ...]]:
        for frame in batch:
            if frame.index == self._options.fail_at:
                raise ZeroDivisionError("the toy is broken")
        return [self._find(frame) for frame in batch]

    def _find(self, frame: Frame) -> tuple[Detection, ...]:
        height, width = frame.image.shape[:2]
        if frame.image.max() < 40:  # black, after a lossy codec
            return ()
        side = min(height, width) / 2
        return tuple(
            Detection(
                box=(width / 2 - side / (n + 2), 0.0, width / 2 + side / (n + 2), side),
                score=0.9 - n / 10,
            )
            for n in range(self._options.faces)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignerOptions:
    tremble: float = option(0.0, "How far the points lie beside the truth", ge=0)


class ToyAligner(StageBase):
    batch_size = 4

    def __init__(self, options: AlignerOptions) -> None:
        self._tremble = options.tremble

    def __call__(self, batch: Sequence[Any], /) -> list[Landmarks]:
        made = []
        for query in batch:
            height, width = query.frame.image.shape[:2]
            x0, _, x1, _ = query.detection.box
            away = self._tremble * np.sin(2.5 * query.frame.index)
            face = face_at(width / 2 + away, height / 2, max(x1 - x0, 2.0))
            made.append(Landmarks(points=face.landmarks))
        return made


class ToyEmbedder(StageBase):
    """Tells people by the colour of their face."""

    spec = CropSpec(face_type=FaceType.HALF, size=16)

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        return [np.float32(crop.image.mean(axis=(0, 1)) - 0.5) for crop in batch]


class ToyMasker(StageBase):
    spec = CropSpec(face_type=FaceType.FULL, size=32)

    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        return [np.ones((32, 32, 1), np.float32) for _ in batch]


class ToyModel(StageBase):
    batch_size = 4
    spec = CropSpec(face_type=FaceType.FULL, size=32)

    def __call__(self, batch: Sequence[Any], /) -> list[Swap]:
        return [
            Swap(image=np.ascontiguousarray(1 - crop.image), matrix=crop.matrix) for crop in batch
        ]


class ToyColor(StageBase):
    def __call__(self, batch: Sequence[Any], /) -> list[Any]:
        return [pair.swap for pair in batch]


class ToyBlend(StageBase):
    def __call__(self, batch: Sequence[Any], /) -> list[Blended]:
        return [Blended(image=pair.swap, alpha=pair.alpha) for pair in batch]


def toys() -> Any:
    cards = {
        "mien_detectors": DetectorProvider(
            name="retinaface",
            summary="toy",
            options=DetectorOptions,
            create=lambda options, context: ToyDetector(options),
        ),
        "mien_aligners": AlignerProvider(
            name="compact",
            summary="toy",
            options=AlignerOptions,
            create=lambda options, context: ToyAligner(options),
        ),
        "mien_embedders": EmbedderProvider(
            name="colour", summary="toy", create=lambda o, c: ToyEmbedder()
        ),
        "mien_maskers": MaskerProvider(
            name="landmarks", summary="toy", create=lambda o, c: ToyMasker()
        ),
        "mien_models": ModelProvider(
            name="toy",
            summary="toy",
            create=lambda o, c, generation: ToyModel(),
            train=lambda o, c: None,
        ),
        "mien_color_transfers": ColorTransferProvider(
            name="reinhard", summary="toy", create=lambda o, c: ToyColor()
        ),
        "mien_blends": BlendProvider(name="overlay", summary="toy", create=lambda o, c: ToyBlend()),
    }
    hooks = {}
    for name, card in cards.items():
        usual = KINDS[card.kind]  # what is used where nothing is said must be there
        also = [replace(card, name=usual)] if usual not in ("none", card.name) else []
        more = also if card.kind in ("color", "blend") else []
        hooks[name] = hookimpl(_catalogue(card, *more))
    return SimpleNamespace(__name__="toys", **hooks)


def _catalogue(*cards: Any) -> Callable[[], Any]:
    def catalogue() -> Any:
        yield from cards

    return catalogue


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The program sees the toys and nothing else."""
    from mien.media import plugin as media_plugin

    made = Registry([("mien", "", media_plugin), ("toys", "1", toys())])
    monkeypatch.setattr(Registry, "installed", lambda: made)
    return made


@pytest.fixture(autouse=True)
def quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration, cache or weights of this machine take part."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MIEN_WEIGHTS", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A trained toy model."""
    import torch

    folder = tmp_path / "model"
    folder.mkdir()
    card = checkpoint.ModelCard(
        plugin="toy", dist_version="1", options={}, face_type="full", size=32
    )
    checkpoint.write_card(folder, card)
    checkpoint.save(folder, TrainerState(weights={"w": torch.zeros(1)}), 7)
    return folder


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small clip of moving colours; black where `black` says so."""

    def make(
        name: str = "clip.mp4", frames: int = 12, size: tuple[int, int] = (64, 48), **more: Any
    ) -> Path:
        black = more.get("black", ())
        info = ClipInfo(uri=name, width=size[0], height=size[1], frames=frames, rate=Fraction(25))
        depth = {key: more[key] for key in ("bits", "chroma") if key in more}
        plan = OutputPlan(target=info, options=OutputOptions(quality=4, **depth))
        writer = open_writer(tmp_path / name, plan)
        for number in range(frames):
            image = picture(*size, seed=number // 3)
            if black == "all" or number in black:
                image = np.zeros_like(image)
            writer.write(
                Frame(
                    index=number,
                    pts=number,
                    time_base=Fraction(1, 25),
                    duration=1,
                    image=image,
                    name=f"f{number:03d}",
                )
            )
        return writer.finish()

    return make


@pytest.fixture
def mien(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the program; exit code, stdout, stderr."""

    def run(*words: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_program([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def read_clip() -> Callable[[Path], list[Frame]]:
    """All frames of a clip."""

    def read(path: Path) -> list[Frame]:
        source = open_source(path)
        try:
            return list(source.frames())
        finally:
            source.close()

    return read
