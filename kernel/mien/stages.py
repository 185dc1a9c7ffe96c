"""What a plugin gives (a Provider), what it makes (a Stage), and what it is lent (a Context).

A Provider is a card: pure data, made at start-up, importing nothing heavy.  Its `create` brings
the heavy half and returns a Stage: a small object that turns a batch into as many results, in
order.  A stage reads no globals, no environment and no configuration; everything it may use
comes through its options and its context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from .lent import Context, ExportPlan, Session, WeightFile
from .types import Crop, CropSpec, Detection, FaceType, Frame, Landmarks, Swap, lock

if TYPE_CHECKING:
    from .arrays import Image, Mask, Vector  # noqa: F401 - Vector stands in a quoted type
    from .nets.dflkind import DflKind

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


# --- stages -------------------------------------------------------------------------------------


class Stage(Protocol[In_contra, Out_co]):
    """Turns a batch into as many results, in order.

    The runner calls `open` once, in the thread in which the stage will work, then the stage with
    batches of exactly `batch_size` (fewer only at the end), then `close`, also after an error.
    A stage that needs neighbours in time sets `window = (before, after)`: each item is then a
    `Neighbours` around the item proper.
    """

    @property
    def batch_size(self) -> int:
        """How many items the stage likes at once."""
        ...

    @property
    def window(self) -> tuple[int, int]:
        """How many items before and after it wants to see; (0, 0) for none."""
        ...

    def open(self) -> None:
        """Take what the work needs: load the net, open the session."""
        ...

    def close(self) -> None:
        """Give everything back; may be called twice."""
        ...

    def __call__(self, batch: Sequence[In_contra], /) -> Sequence[Out_co]:
        """One result per item, in order."""
        ...


class StageBase:
    """The parts of a stage that most stages leave alone."""

    batch_size: int = 1
    window: tuple[int, int] = (0, 0)

    def open(self) -> None:
        """Take nothing."""

    def close(self) -> None:
        """Give nothing back."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours(Generic[In]):
    """An item and its neighbours in time; shorter than asked for at the ends of the clip."""

    item: In
    before: tuple[In, ...] = ()
    after: tuple[In, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceQuery:
    """What an aligner is asked: where are the 68 points of this detection in this frame?"""

    frame: Frame
    detection: Detection


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColorPair:
    """What a colour transfer is asked: give `swap` the colours of `plate`.

    swap   (S, S, 3) float32 BGR 0..1, the new face
    plate  (S, S, 3) float32 BGR 0..1, the clip's own pixels in the same crop
    area   (S, S, 1) float32 0..1, where the face will be seen
    """

    swap: Image
    plate: Image
    area: Mask
    frame_index: int = 0
    track: int = -1

    def __post_init__(self) -> None:
        height, width = self.swap.shape[:2]
        lock("ColorPair.swap", self.swap, (height, width, 3))
        lock("ColorPair.plate", self.plate, (height, width, 3))
        lock("ColorPair.area", self.area, (height, width, 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlendPair:
    """What a blend is asked: put `swap` on `plate`; all three cover the face's box in the frame.

    plate  (h, w, 3) float32 BGR 0..1, the clip's own pixels
    swap   (h, w, 3) float32 BGR 0..1, the new face warped into the frame
    alpha  (h, w, 1) float32 0..1, how much of it shall be seen
    """

    plate: Image
    swap: Image
    alpha: Mask
    frame_index: int = 0
    track: int = -1

    def __post_init__(self) -> None:
        height, width = self.plate.shape[:2]
        lock("BlendPair.plate", self.plate, (height, width, 3))
        lock("BlendPair.swap", self.swap, (height, width, 3))
        lock("BlendPair.alpha", self.alpha, (height, width, 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blended:
    """A blend's answer: the kernel adds `alpha * (image - plate)` to the frame, and nothing where
    alpha is 0.

    image (h, w, 3) float32 BGR 0..1;  alpha (h, w, 1) float32 0..1
    """

    image: Image
    alpha: Mask

    def __post_init__(self) -> None:
        height, width = self.image.shape[:2]
        lock("Blended.image", self.image, (height, width, 3))
        lock("Blended.alpha", self.alpha, (height, width, 1))


class CropStage(Stage[Crop, Out_co], Protocol[Out_co]):
    """A stage on crops; the kernel warps every face as `spec` says.

    A stage that looks at landmarks alone may say `blind = True`: its crops are black, and cost
    nothing.
    """

    @property
    def spec(self) -> CropSpec:
        """The crop it wants."""
        ...


DetectorStage = Stage[Frame, Sequence[Detection]]
AlignerStage = Stage[FaceQuery, Landmarks]
MaskerStage = CropStage["Mask"]
EmbedderStage = CropStage["Vector"]
SwapStage = CropStage[Swap]
ColorTransferStage = Stage[ColorPair, "Image"]
"""A transfer whose answer at a pixel depends on that pixel and on those of the area alone may say
`only_seen = True`: it may then be asked about the part (h, w, 3) of the crop that holds the area.
"""
BlendStage = Stage[BlendPair, Blended]
"""A blend that looks at the swap only where alpha is not 0 may say `only_seen = True`.

A blend may say `shows = "crop"`: its alpha is then 1 in all of the crop, whatever the mask is;
or `shows = "patch"`: it is never called, and the swap's crop takes the place of the frame."""
EnhancerStage = Stage["Image", "Image"]
"""(S, S, 3) float32 BGR 0..1 to the same face k times as large, (k S, k S, 3)."""


@runtime_checkable
class TunableStage(Protocol):
    """A stage that answers every item under options of its own: those that its card has as `keyed`
    may differ.  An answer depends on the whole batch as little as it does when the stage is called.
    """

    def tuned(self, batch: Sequence[Any], options: Sequence[Any], /) -> Sequence[Any]:
        """One result per item, in order; `options` are instances of the card's class, one each."""
        ...


@runtime_checkable
class ExportableStage(Protocol):
    """A swap stage whose net can be given to other programs, as that of most models can (`NetSwap`
    in `mien.training.learning.swap`).

    The plan's first input is `face`, (N, 3, S, S) in order and range of `spec`; its outputs are
    `image`, the swap (N, 3, S', S') BGR 0..1, and perhaps `swap_mask` and `target_mask`
    (N, 1, S', S').  A further input `morph` (1,) says how much of the source is shown, 0..1.
    """

    @property
    def spec(self) -> CropSpec:
        """The crop that the net wants."""
        ...

    def export_plan(self) -> ExportPlan:
        """The net with example inputs, on the CPU."""
        ...


# --- providers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOptions:
    """For a plugin that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A plugin's card.

    name      unique within its kind, lower case, as it stands in the configuration
    summary   one line
    options   a dataclass whose fields are made by `mien.options.option`
    create    (options, context) -> stage; imports the heavy half
    weights   the files it may ask its context for
    keyed     the options that may change over a clip; None: all of them.  For other values another
              stage is made, which must be cheap, unless the stage is a `TunableStage`
    """

    kind: ClassVar[str] = ""
    title: ClassVar[str] = ""

    name: str
    summary: str
    create: Callable[[Any, Context], Any]
    options: type = NoOptions
    licence: str = "Apache-2.0"
    weights: tuple[WeightFile, ...] = ()
    keyed: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorProvider(Provider):
    """Finds faces in frames."""

    kind: ClassVar[str] = "detector"
    title: ClassVar[str] = "Detectors"

    create: Callable[[Any, Context], DetectorStage]
    gives_points5: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignerProvider(Provider):
    """Finds the 68 points of a detected face."""

    kind: ClassVar[str] = "aligner"
    title: ClassVar[str] = "Aligners"

    create: Callable[[Any, Context], AlignerStage]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskerProvider(Provider):
    """Says which pixels of a crop are face."""

    kind: ClassVar[str] = "masker"
    title: ClassVar[str] = "Maskers"

    create: Callable[[Any, Context], MaskerStage]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderProvider(Provider):
    """Turns a face into a vector (D,) float32 that tells people apart: the cosine of two vectors
    is high where both show the same person."""

    kind: ClassVar[str] = "embedder"
    title: ClassVar[str] = "Embedders"

    create: Callable[[Any, Context], EmbedderStage]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProvider(Provider):
    """Learns two people and swaps them.

    create  (options, context, generation) -> SwapStage; `generation` is a checkpoint folder, or a
            file with one of the endings in `files`
    train   (options, context) -> Trainer;  see `mien.training` for the protocol
    pretraining  options that hold while it learns faces in general, whatever else was asked for
    files   endings of other programs' finished models that `create` takes, such as `.dfm`
    dfl     how DeepFaceLab keeps this model, whose folders can then be imported and exported
    """

    kind: ClassVar[str] = "model"
    title: ClassVar[str] = "Models"

    create: Callable[[Any, Context, Path], SwapStage]  # type: ignore[assignment]
    train: Callable[[Any, Context], Any]
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    dfl: DflKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorTransferProvider(Provider):
    """Gives a swap the colours of the plate."""

    kind: ClassVar[str] = "color"
    title: ClassVar[str] = "Colour transfers"

    create: Callable[[Any, Context], ColorTransferStage]
    keyed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendProvider(Provider):
    """Puts a swap on the plate."""

    kind: ClassVar[str] = "blend"
    title: ClassVar[str] = "Blends"

    create: Callable[[Any, Context], BlendStage]
    keyed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerProvider(Provider):
    """Makes a finer picture of a swap."""

    kind: ClassVar[str] = "enhancer"
    title: ClassVar[str] = "Enhancers"

    create: Callable[[Any, Context], EnhancerStage]
    keyed: tuple[()] = ()  # it is given pictures, which do not say whose they are and when


PROVIDER_KINDS: tuple[type[Provider], ...] = (
    DetectorProvider,
    AlignerProvider,
    EmbedderProvider,
    MaskerProvider,
    ModelProvider,
    EnhancerProvider,
    ColorTransferProvider,
    BlendProvider,
)

__all__ = [
    "PROVIDER_KINDS",
    "AlignerProvider",
    "AlignerStage",
    "BlendPair",
    "BlendProvider",
    "BlendStage",
    "Blended",
    "ColorPair",
    "ColorTransferProvider",
    "ColorTransferStage",
    "Context",
    "CropStage",
    "DetectorProvider",
    "DetectorStage",
    "EmbedderProvider",
    "EmbedderStage",
    "EnhancerProvider",
    "EnhancerStage",
    "ExportPlan",
    "ExportableStage",
    "FaceQuery",
    "FaceType",
    "MaskerProvider",
    "MaskerStage",
    "ModelProvider",
    "Neighbours",
    "NoOptions",
    "Provider",
    "Session",
    "Stage",
    "StageBase",
    "SwapStage",
    "TunableStage",
    "WeightFile",
]
