"""The blend `laplacian`: every band of detail is mixed over an edge of its own width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import BlendProvider, BlendStage, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    bands: int = option(
        5,
        "Into how many bands detail is cut, at most; more mix coarse colour more widely",
        ge=1,
        le=8,
    )


def create(options: Options, context: Context) -> BlendStage:
    """The stage."""
    from .stage import Laplacian

    return Laplacian(options.bands)


@hookimpl
def mien_blends() -> Iterator[BlendProvider]:
    """This plugin's card."""
    yield BlendProvider(
        name="laplacian",
        summary="Mix coarse detail over a wide edge, fine detail over a narrow one",
        options=Options,
        create=create,
    )
