"""What a stage is lent by the run that uses it: device, threads, seed, weights, sessions.

The names are public as `mien.stages`', where plugins take them from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from .faceset import Faceset


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """A file of weights as its maker published it.

    name     file name, unique among all plugins
    size     bytes, 0 where nobody published it
    sha256   lower-case hex, or its first eight digits or more, or empty where nobody published it;
             checked before the file is used
    urls     where it can be had, best first; empty where no address is known
    licence  of the weights, in words;  non_commercial  shown to the user before a download
    package  import package that ships it, as `weights/NAME` inside; empty where it must be fetched
    """

    name: str
    size: int = 0
    sha256: str = ""
    urls: tuple[str, ...] = ()
    licence: str = "not stated"
    non_commercial: bool = False
    summary: str = ""
    package: str = ""


@runtime_checkable
class Session(Protocol):
    """A loaded net: the part of an onnxruntime session that stages use."""

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any], /) -> list[Any]:
        """The named outputs (all where None) for a feed of arrays by input name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """How a torch module becomes an ONNX file.

    module   a torch.nn.Module in eval mode
    inputs   example tensors of the usual size, in order: for that size the file is made quick
    dynamic  input name to the axes that may change, as {"image": {0: "batch"}}
    """

    module: Any
    inputs: tuple[Any, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]]


class Context(Protocol):
    """What a run lends its stages.  Nothing else of the machine is theirs to use."""

    @property
    def device(self) -> str:
        """`cpu`, or `cuda:N`."""
        ...

    @property
    def precision(self) -> str:
        """`fp32`, or `fp16` where the device is good at it."""
        ...

    @property
    def threads(self) -> int:
        """How many CPU threads this stage may keep busy."""
        ...

    @property
    def seed(self) -> int:
        """The run's seed."""
        ...

    def rng(self, *names: str | int) -> np.random.Generator:
        """A generator that depends on the run's seed and these names, and on nothing else."""
        ...

    def weights(self, file: WeightFile) -> Path:
        """The verified file on this machine, or WeightsError that says how to get it."""
        ...

    def onnx(self, model: WeightFile | Path) -> Session:
        """A session over an ONNX file."""
        ...

    def exported(self, key: str, build: Callable[[], ExportPlan]) -> Session:
        """A session over an exported net; `build` runs only where the cache holds no `key`.

        The key names everything the file depends on: the net, its options, its weights' hash.
        """
        ...

    def faceset(self, path: Path) -> Faceset:
        """The faces of a folder, or of another program's file, by whichever plugin knows it."""
        ...
