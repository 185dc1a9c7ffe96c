"""The blends `raw-rgb` and `raw-predict`: the model's picture as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from mien.hooks import hookimpl
from mien.stages import (
    Blended,
    BlendPair,
    BlendProvider,
    BlendStage,
    Context,
    NoOptions,
    StageBase,
)


class Raw(StageBase):
    """Answers with the swap itself; the kernel shows all of its crop, or nothing else."""

    batch_size = 8

    def __init__(self, shows: Literal["crop", "patch"]) -> None:
        self.shows = shows

    def __call__(self, batch: Sequence[BlendPair], /) -> list[Blended]:
        """One blend per pair, in order."""
        return [Blended(image=pair.swap, alpha=pair.alpha) for pair in batch]


def create_in_frame(options: NoOptions, context: Context) -> BlendStage:
    """The stage of `raw-rgb`."""
    return Raw("crop")


def create_alone(options: NoOptions, context: Context) -> BlendStage:
    """The stage of `raw-predict`."""
    return Raw("patch")


@hookimpl
def mien_blends() -> Iterator[BlendProvider]:
    """This plugin's cards."""
    yield BlendProvider(
        name="raw-rgb",
        summary="The whole square of the swap in its frame, without a mask",
        create=create_in_frame,
    )
    yield BlendProvider(
        name="raw-predict",
        summary="The square of the swap instead of the frame, black where there is no face",
        create=create_alone,
    )
