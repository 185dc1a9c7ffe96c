"""Stand-ins for tests: a context without a machine, nets without weights, faces without people."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Image
from ..faceset import Faceset
from ..geometry import MEAN_FACE
from ..stages import Context, ExportPlan, Session, WeightFile
from ..types import Face, Frame

Answer = Callable[[Mapping[str, Any]], Sequence[Any]]


class FakeNet:
    """A session that answers every feed with the same arrays, or with what a function says."""

    def __init__(self, answer: Sequence[Any] | Answer) -> None:
        self._answer = answer

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any], /) -> list[Any]:
        """The prepared arrays, or the function's."""
        if callable(self._answer):
            return list(self._answer(feeds))
        return [np.asarray(each) for each in self._answer]


class _Lent:
    """A session on loan: dies when the stage lets go of it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any], /) -> list[Any]:
        return self._session.run(outputs, feeds)


@dataclass(kw_only=True)
class FakeContext:
    """A context for tests; counts what it lends.

    net    the session that `onnx` and `exported` lend; None: exported nets are really exported
           into `cache` and run, and `onnx` opens the file it is given
    files  path by name of a weight file, taken as it is, without a check of its hash
    """

    net: Session | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    cache: Path | None = None
    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 2
    seed: int = 0
    _lent: list[weakref.ref[_Lent]] = field(default_factory=list)

    def rng(self, *names: str | int) -> np.random.Generator:
        """As a real context does it."""
        return self._real().rng(*names)

    def weights(self, file: WeightFile) -> Path:
        """The path that the test gave for this file, or the file inside the plugin's package."""
        if file.name not in self.files and file.package:
            return self._real().weights(file)
        return self.files[file.name]

    def onnx(self, model: WeightFile | Path) -> Session:
        """The fake net, or a session over the file."""
        path = self.weights(model) if isinstance(model, WeightFile) else model
        return self._lend(self.net or self._real().onnx(path))

    def exported(self, key: str, build: Callable[[], ExportPlan]) -> Session:
        """The fake net, or the exported one."""
        return self._lend(self.net or self._real().exported(key, build))

    def faceset(self, path: Path) -> Faceset:
        """Pictures of ours."""
        return Faceset(path)

    @property
    def open_sessions(self) -> int:
        """How many lent sessions somebody still holds."""
        gc.collect()
        return sum(1 for lent in self._lent if lent() is not None)

    def _lend(self, session: Session) -> Session:
        lent = _Lent(session)
        self._lent.append(weakref.ref(lent))
        return lent

    def _real(self) -> Context:
        from ..runtime import make_context

        return make_context(
            device=self.device, threads=self.threads, seed=self.seed, offline=True, cache=self.cache
        )


def frames(count: int, *, width: int = 96, height: int = 72, seed: int = 0) -> list[Frame]:
    """Frames of smooth, differing pictures, 25 a second."""
    return [
        Frame(
            index=index,
            pts=index,
            time_base=Fraction(1, 25),
            duration=1,
            image=picture(width, height, seed=seed + index),
        )
        for index in range(count)
    ]


def picture(width: int, height: int, *, seed: int = 0) -> Image:
    """A smooth uint8 BGR picture that differs with `seed`."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    phase, pace = rng.uniform(0, 6, 3), rng.uniform(0.02, 0.12, (2, 3))
    waves = np.sin(x[..., None] * pace[0] + y[..., None] * pace[1] + phase)
    return np.asarray(np.rint(127.5 + 100 * waves), dtype=np.uint8)


def face_at(x: float, y: float, size: float, *, roll: float = 0.0) -> Face:
    """The mean face: `size` pixels between its brows' outer ends, centred on (x, y), turned by
    `roll` degrees clockwise in the picture."""
    unit = np.concatenate([_jaw(), MEAN_FACE.astype(np.float64)]) - (0.5, 0.5)
    angle = np.deg2rad(roll)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = (unit @ turn * size + (x, y)).astype(np.float32)
    low, high = points.min(0), points.max(0)
    return Face(box=(low[0], low[1], high[0], high[1]), score=0.99, landmarks=points)


def _jaw() -> Any:
    """Seventeen points on a half ellipse from ear to ear, in unit space."""
    angle = np.linspace(np.pi, 0, 17)
    return np.stack([0.5 + 0.62 * np.cos(angle), 0.22 + 0.95 * np.sin(angle)], axis=1)
