"""MediaPipe's face mesh: 468 points of a face in 3 milliseconds, told as the usual 68."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import AlignerProvider, AlignerStage, Context, WeightFile

FACE_MESH = WeightFile(
    name="FaceMesh.onnx",
    size=2_332_284,
    sha256="d543107cfab6a216501b37667ef1520950410dfe02d4c186e6b154fc91345ee1",
    urls=(
        "https://github.com/iperov/DeepFaceLive/raw/master/modelhub/onnx/FaceMesh/FaceMesh.onnx",
    ),
    licence="Apache-2.0 (Google MediaPipe)",
    summary="MediaPipe face mesh, 468 points, as converted to ONNX for DeepFaceLive",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    margin: float = option(
        1.35, "Side of the first crop, as a multiple of the box's longer side", ge=1, le=3
    )
    passes: int = option(
        2,
        "How often the face is looked at, each time in a crop made from the last points",
        ge=1,
        le=4,
    )
    batch_size: int = option(8, "Faces that the net sees at once", unit="faces", ge=1)


def create(options: Options, context: Context) -> AlignerStage:
    """The aligner; brings in numpy and OpenCV."""
    from .stage import MeshAligner

    return MeshAligner(options, context)


@hookimpl
def mien_aligners() -> Iterator[AlignerProvider]:
    """One aligner, `mesh`."""
    yield AlignerProvider(
        name="mesh",
        summary="MediaPipe face mesh: quick, steady, sure up to a three-quarter view",
        options=Options,
        create=create,
        weights=(FACE_MESH,),
    )
