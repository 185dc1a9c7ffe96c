"""`mien export`: faces for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import ConfigError, InputError, PluginError, StoppedError
from ..faceset import FrameFaces
from ..workspace import Workspace
from .dfl import ExportedFolder, export_folder
from .faces_copy import drawn_files
from .import_dfl import SIDES
from .import_faces import check_elsewhere, missing, told_apart
from .run import Run

Form = Literal["dfl", "dfl-pak", "dfl-meta", "faceswap"]
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFaces:
    """Faces that were written, those that lay there already, and faces that were skipped."""

    folder: Path
    written: int
    kept: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedWorkspace:
    """A workspace of DeepFaceLab's: its facesets, and the model if one was given."""

    place: Path
    facesets: tuple[ExportedFaces, ...]
    model: ExportedFolder | None = None


def export_faceset(run: Run, *, faceset: Path, folder: Path, form: Form) -> ExportedFaces:
    """Write a faceset as another program keeps it, with what was drawn beside its faces.

    Raises PluginError where no plugin knows the form, InputError where no face can be had in it,
    StoppedError after `run.cancel`.
    """
    faces = run.context.faceset(faceset)
    if form != "dfl-meta":  # which lies beside the faces
        check_elsewhere(folder, faces.folder)
    writer = run.registry.hook.mien_open_face_writer(form=form, folder=folder)
    if writer is None:
        raise PluginError(missing("write", form, form.partition("-")[0]))
    written = kept = 0
    run.events.start(f"export {folder}", len(faces), "faces")
    try:
        with writer:
            for face in told_apart(drawn_files(faces, faces.paths), one_kind=True):
                try:
                    new = writer.add(face)
                except InputError as error:
                    faces.notes.append(f"skipped {error}")
                    continue
                written, kept = written + new, kept + (not new)
                run.events.advance(written + kept)
                if run.cancel.is_set():
                    done = written + kept
                    raise StoppedError(f"{folder}: stopped after {done} faces; run it again")
            if not written + kept:
                raise InputError(f"faceset '{faceset}': none of its {len(faces)} faces can be had")
    finally:
        run.events.end()
        for note in (*faces.notes[:_NAMED], *writer.notes):
            run.events.note(note)
    skipped = len(faces) - written - kept
    return ExportedFaces(folder=folder, written=written, kept=kept, skipped=skipped)


def export_dfl_workspace(
    run: Run,
    *,
    place: Path,
    source: Path | None = None,
    target: Path | None = None,
    model: Path | None = None,
    name: str | None = None,
    packed: bool = False,
) -> ExportedWorkspace:
    """Write facesets and a model into a workspace of DeepFaceLab's.

    packed  each faceset as one `faceset.pak`
    Raises ConfigError where nothing was named.
    """
    given = {ours: path for ours, path in (("source", source), ("target", target)) if path}
    if not given and model is None:
        raise ConfigError("say what shall be exported: --source, --target or --model")
    facesets = tuple(
        export_faceset(
            run,
            faceset=path,
            folder=place / SIDES[ours] / "aligned",
            form="dfl-pak" if packed else "dfl",
        )
        for ours, path in given.items()
    )
    exported = None
    if model is not None:
        called = name or model.resolve().name
        exported = export_folder(run, folder=model, place=place / "model", name=called)
    if "target" in given:
        run.events.note(
            f"{place}: put the clip there as data_dst.mp4 and extract its frames as PNG at full "
            "rate; its merger finds faces by the frames' names, 00001.png being the first"
        )
    return ExportedWorkspace(place=place, facesets=facesets, model=exported)


def export_alignments(run: Run, *, workspace: Path, uri: str, path: Path) -> int:
    """Write what a workspace knows of a clip as alignments; how many faces that are.

    Raises PluginError where no plugin can write them.
    """
    with run.source(uri) as source, Workspace(workspace, create=False) as store:
        info = source.info
        clip = store.find_clip(info)
        stem, suffix = Path(info.uri).stem, Path(info.uri).suffix
        names = {frame.index: frame.name for frame in source.frames()} if info.still else {}
        frames = []
        for index in sorted(store.known_frames(clip)):
            name = f"{names.get(index, index)}.png" if names else f"{stem}_{index + 1:06d}{suffix}"
            frames.append(FrameFaces(name=name, faces=store.faces(clip, index)))
    done = run.registry.hook.mien_write_alignments(form="faceswap", path=path, frames=frames)
    if not done:
        raise PluginError(missing("write", str(path), "faceswap"))
    return sum(face.landmarks is not None for frame in frames for face in frame.faces)
