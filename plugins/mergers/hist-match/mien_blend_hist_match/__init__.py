"""The blend `hist-match`: the swap with the plate's distribution of each channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import BlendProvider, BlendStage, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may set."""

    threshold: float = option(
        255.0, "How much of the plate's range is reached; 255 is all, less is darker", ge=0, le=255
    )
    masked: bool = option(True, "Only pixels under the mask count, by their weight")


def create(options: Options, context: Context) -> BlendStage:
    """The stage."""
    from .stage import HistMatch

    return HistMatch(options.threshold, options.masked)


@hookimpl
def mien_blends() -> Iterator[BlendProvider]:
    """This plugin's card."""
    yield BlendProvider(
        name="hist-match",
        summary="Match the distribution of each channel, then lay over",
        options=Options,
        create=create,
    )
