"""A small net for the usual 68 points, trained for mien and shipped inside the wheel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import AlignerProvider, AlignerStage, Context, WeightFile

NET = WeightFile(
    name="mien_align68_v1.onnx",
    size=3_859_154,
    sha256="fd39003052e3792b521b7824104bfec2cf86182e696110c6e98fbd3b0fa07837",
    package="mien_compact",
    licence="Apache-2.0; trained on public-domain, MIT and CC BY pictures, see mien_align68_v1.md",
    summary="Compact 68-point aligner trained for mien, shipped with the plugin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    passes: int = option(
        2,
        "How often the face is looked at: first where the detector says, then where the points "
        "say; 1 is quicker, and trembles with the detector's boxes",
        ge=1,
        le=4,
    )
    flip: bool = option(
        True,
        "At the last look see the mirrored face too and take the mean: steadier and more exact, "
        "for half as much time again",
    )
    margin: float = option(
        1.0,
        "Size of the first look, as a multiple of the usual; more for boxes that are too tight",
        ge=0.5,
        le=2,
    )
    batch_size: int = option(8, "Faces that the net sees at once", unit="faces", ge=1)


def create(options: Options, context: Context) -> AlignerStage:
    """The aligner; brings in numpy and OpenCV."""
    from .stage import CompactAligner

    return CompactAligner(options, context)


@hookimpl
def mien_aligners() -> Iterator[AlignerProvider]:
    """One aligner, `compact`."""
    yield AlignerProvider(
        name="compact",
        summary="Small 68-point net inside the wheel: quick, needs no download",
        options=Options,
        create=create,
        weights=(NET,),
    )
