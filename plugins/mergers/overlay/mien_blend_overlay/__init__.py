"""The blend `overlay`: the swap as it is, seen as far as its mask lets it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


class Overlay(StageBase):
    """Answers with the swap itself."""

    batch_size = 8
    only_seen = True

    def __call__(self, batch: Sequence[BlendPair], /) -> list[Blended]:
        """One blend per pair, in order."""
        return [Blended(image=pair.swap, alpha=pair.alpha) for pair in batch]


def create(options: NoOptions, context: Context) -> BlendStage:
    """The stage."""
    return Overlay()


@hookimpl
def mien_blends() -> Iterator[BlendProvider]:
    """This plugin's card."""
    yield BlendProvider(name="overlay", summary="Lay the swap over the plate", create=create)
