"""`mien import dfl`: a whole workspace of DeepFaceLab's, faces and models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, MienError, NothingFoundError
from ..faceset import FaceRecord, FrameFaces, decode_mask
from ..training import checkpoint
from ..types import Face, FaceMask
from .dfl import Imported, import_folder
from .import_faces import EnteredFaces, ImportedFaces, enter_faces, import_faceset, open_foreign
from .run import Run

PROGRAM = "DeepFaceLab"
SIDES = {"source": "data_src", "target": "data_dst"}
"""What a side is called here, and its folder there."""
_ALIGNED = "aligned"
_MODELS = "model"
_FRAMES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedWorkspace:
    """What was made: facesets, models, and the workspace that knows the target's faces."""

    facesets: tuple[ImportedFaces, ...]
    models: tuple[Imported, ...]
    workspace: EnteredFaces | None = None


def import_dfl(
    run: Run, *, place: Path, folder: Path, into_workspace: bool = False
) -> ImportedWorkspace:
    """Import a workspace into `folder`: `source`, `target` and `models/NAME`.

    place  the workspace, or a folder of faces or a pack, which becomes a faceset in `folder` itself
    into_workspace  the target's faces are put into a workspace too, for `mien merge`
    What could not be taken over is said as notes.  Raises InputError where nothing is there.
    """
    sides = [(ours, place / theirs / _ALIGNED) for ours, theirs in SIDES.items()]
    found = [(ours, aligned) for ours, aligned in sides if _holds_faces(aligned)]
    models = place / _MODELS
    if not found and not _model_names(models):
        if place.is_dir() and any((place / theirs).is_dir() for theirs in SIDES.values()):
            raise InputError(f"{place}: neither faces nor models are in this workspace yet")
        alone = import_faceset(run, place=place, folder=folder, program=PROGRAM)
        return ImportedWorkspace(facesets=(alone,), models=())
    facesets = tuple(
        import_faceset(run, place=aligned, folder=folder / ours, program=PROGRAM)
        for ours, aligned in found
    )
    made = tuple(_import_models(run, models, folder / "models"))
    known = None
    if into_workspace:
        known = _enter(run, place / SIDES["target"], folder)
    for note in _left_over(place):
        run.events.note(note)
    return ImportedWorkspace(facesets=facesets, models=made, workspace=known)


def _holds_faces(aligned: Path) -> bool:
    try:
        return any(each.suffix.lower() in (".jpg", ".pak") for each in aligned.iterdir())
    except OSError:
        return False


def _model_names(models: Path) -> list[tuple[str, str]]:
    from ..nets.dflfiles import find_models

    if not models.is_dir():
        return []
    return [(each.name, each.kind) for each in find_models(models)]


def _import_models(run: Run, models: Path, folder: Path) -> Iterator[Imported]:
    names = _model_names(models)
    for name, kind in names:
        twice = sum(name == other for other, _ in names) > 1
        own = folder / (f"{name}-{kind}" if twice else name)
        if checkpoint.read_card(own) is not None:
            run.events.note(f"{own}: holds a model already, which was left as it is")
            continue
        try:
            yield import_folder(run, place=models, name=name, folder=own)
        except MienError as error:
            run.events.note(f"model '{name}' ({kind}) was not taken over: {error}")


def _enter(run: Run, side: Path, folder: Path) -> EnteredFaces:
    """The target's faces in a workspace, by the frames that lie beside them."""
    by_frame: dict[str, list[FaceRecord]] = defaultdict(list)
    unnamed = 0
    for _, record in open_foreign(run, side / _ALIGNED, PROGRAM).records():
        name = _source_name(record)
        if name:
            by_frame[name].append(record)
        else:
            unnamed += 1
    if unnamed:
        run.events.note(f"{side}: {unnamed} faces do not say from which frame they are")
    if not any(each.suffix.lower() in _FRAMES for each in side.iterdir()):
        raise NothingFoundError(
            f"{side}: holds no frames, which the workspace's faces belong to; put the clip's "
            "frames there, 00001.png being the first, or leave --into-workspace out"
        )
    frames = [
        FrameFaces(name=name, faces=tuple(_face(record) for record in records))
        for name, records in by_frame.items()
    ]
    return enter_faces(
        run, uri=str(side), frames=frames, workspace=folder, work=f"import {PROGRAM}"
    )


def _source_name(record: FaceRecord) -> str:
    kept = record.extra.get("dfl")
    info = kept.get("info") if isinstance(kept, dict) else None
    name = info.get("source_filename") if isinstance(info, dict) else None
    return name if isinstance(name, str) else ""


def _face(record: FaceRecord) -> Face:
    masks = {
        name: FaceMask(mask=decode_mask(png, record.size), matrix=record.matrix)
        for name, png in record.masks.items()
    }
    return Face(box=record.box, landmarks=record.frame_landmarks, masks=masks)


def _left_over(place: Path) -> Iterator[str]:
    """What a workspace holds that has no place here."""
    models = place / _MODELS
    sessions = len(list(models.glob("*_merger_session.dat"))) if models.is_dir() else 0
    if sessions:
        yield f"{models}: its merger's sessions were left as they are ({sessions})"
    for theirs in SIDES.values():
        side = place / theirs
        left = [
            each.name
            for each in sorted(side.glob("*"))
            if each.is_dir() and each.name != _ALIGNED and any(each.iterdir())
        ]
        if left:
            yield f"{side}: was left as it is: {', '.join(left)}"
    results = [each.name for each in sorted(place.glob("result*"))]
    if results:
        yield f"{place}: finished clips were left as they are: {', '.join(results)}"
