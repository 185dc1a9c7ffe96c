"""The blends `seamless` and `seamless-hist-match`: the swap's details in the plate's colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mien.hooks import hookimpl
from mien.options import option
from mien.stages import BlendProvider, BlendStage, Context, NoOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class HistOptions:
    """What a user may set."""

    threshold: float = option(
        255.0, "How much of the plate's range is reached; 255 is all, less is darker", ge=0, le=255
    )


def create(options: NoOptions, context: Context) -> BlendStage:
    """The stage of `seamless`."""
    from .stage import Seamless

    return Seamless()


def create_with_match(options: HistOptions, context: Context) -> BlendStage:
    """The stage of `seamless-hist-match`."""
    from .stage import Seamless

    return Seamless(options.threshold)


@hookimpl
def mien_blends() -> Iterator[BlendProvider]:
    """This plugin's cards."""
    yield BlendProvider(
        name="seamless",
        summary="Keep the swap's details, take the plate's colours along the edge (Poisson)",
        create=create,
    )
    yield BlendProvider(
        name="seamless-hist-match",
        summary="As seamless, then match the distribution of each channel",
        options=HistOptions,
        create=create_with_match,
    )
