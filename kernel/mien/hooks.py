"""Every hook of the program, on one page.

A plugin is a package with an entry point in the group ``mien``; its module implements some of
these functions with ``@hookimpl``.  Hooks make stages; stages do the work: no hook is called per
frame.  A spec may gain arguments in a later version, never lose them.

    from mien.hooks import hookimpl
    from mien.stages import DetectorProvider

    @hookimpl
    def mien_detectors():
        yield DetectorProvider(name="mine", summary="…", options=Options, create=create)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from .faceset import Alignments, FaceStore, FaceWriter, FrameFaces
    from .media.base import ClipWriter, OutputPlan, Source
    from .stages import (
        AlignerProvider,
        BlendProvider,
        ColorTransferProvider,
        DetectorProvider,
        EmbedderProvider,
        EnhancerProvider,
        MaskerProvider,
        ModelProvider,
    )

PROJECT = "mien"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# --- catalogues: yield Providers --------------------------------------------------------------


@hookspec
def mien_detectors() -> Iterable[DetectorProvider]:
    """Plugins that find faces in frames."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_aligners() -> Iterable[AlignerProvider]:
    """Plugins that find the 68 points of a detected face."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_embedders() -> Iterable[EmbedderProvider]:
    """Plugins that turn a face into a vector that tells people apart."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_maskers() -> Iterable[MaskerProvider]:
    """Plugins that say which pixels of a crop are face."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_models() -> Iterable[ModelProvider]:
    """Plugins that learn two people and swap them."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_enhancers() -> Iterable[EnhancerProvider]:
    """Plugins that make a finer picture of a swap."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_color_transfers() -> Iterable[ColorTransferProvider]:
    """Plugins that give a swap the colours of the plate."""
    raise AssertionError("a specification, never called")


@hookspec
def mien_blends() -> Iterable[BlendProvider]:
    """Plugins that put a swap on the plate."""
    raise AssertionError("a specification, never called")


# --- who can? the first that answers wins, None means "not me" --------------------------------


@hookspec(firstresult=True)
def mien_open_source(uri: str) -> Source | None:
    """A reader for this clip: a file, a folder, a pattern, or whatever a plugin understands."""


@hookspec(firstresult=True)
def mien_open_writer(uri: str, plan: OutputPlan) -> ClipWriter | None:
    """A writer for this output: a file, a folder of pictures, or whatever a plugin understands."""


@hookspec(firstresult=True)
def mien_open_faceset(path: Path) -> FaceStore | None:
    """A reader for faces that another program keeps in this folder or file."""


@hookspec(firstresult=True)
def mien_open_face_writer(form: str, folder: Path) -> FaceWriter | None:
    """A writer of faces into a folder, in another program's form, such as `dfl` or `faceswap`."""


@hookspec(firstresult=True)
def mien_read_alignments(path: Path) -> Alignments | None:
    """The faces of a clip, by frame, from another program's file."""


@hookspec(firstresult=True)
def mien_write_alignments(form: str, path: Path, frames: Iterable[FrameFaces]) -> bool | None:
    """Write the faces of a clip as another program keeps them; True where that was done."""


# --- it happened: collecting, returns nothing -------------------------------------------------


@hookspec
def mien_run_started(run_id: str, command: str) -> None:
    """A command began its work."""


@hookspec
def mien_run_ended(run_id: str, command: str, error: BaseException | None) -> None:
    """A command ended; `error` is None where it went well."""


@hookspec
def mien_commands(cli: click.Group) -> None:
    """Add commands to the program."""
