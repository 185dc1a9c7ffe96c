"""`mien alignments`: what a workspace knows of a clip's faces, listed and put right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .building import begin, job, with_json

if TYPE_CHECKING:
    from ..jobs.alignment_files import Entered
    from ..jobs.alignments import Kind, Removed

_path = click.Path(path_type=Path)
_workspace = click.argument("workspace", type=_path)
_faceset = click.argument("faceset", type=_path)
_clip = click.option(
    "--clip", default="", metavar="CLIP", help="Which clip, where the workspace knows several"
)
_look = click.option("--look", is_flag=True, help="Only say what would go")
_most = click.option("--most", is_flag=True, help="Also where it is more than half of them")


@click.group("alignments")
def command() -> None:
    """The faces that a workspace knows of a clip: look for faults, correct, merge, carry elsewhere.

    WORKSPACE is the folder that `mien extract CLIP --workspace` filled.  Whatever changes it first
    writes a backup.
    """


@job("status")
@_workspace
@with_json
def status(ctx: click.Context, workspace: Path, as_json: bool) -> None:
    """Say what WORKSPACE knows of each clip."""
    from ..jobs.alignments import status

    with begin(ctx, {}):
        found = status(workspace)
    if as_json:
        facts = [
            {
                "clip": each.clip.uri,
                "length": each.clip.frames,
                "frames": each.frames,
                "without_face": each.none,
                "with_one": each.one,
                "with_several": each.several,
                "faces": each.faces,
                "without_points": each.without_points,
                "tracks": each.tracks,
            }
            for each in found
        ]
        click.echo(json.dumps({"workspace": str(workspace), "clips": facts}))
        return
    for each in found:
        of = f" of {each.clip.frames}" if each.clip.frames else ""
        click.echo(
            f"{each.clip.uri}: {each.frames}{of} frames, {each.faces} faces in {each.tracks} "
            f"tracks; {each.none} frames without a face, {each.several} with several"
        )
        if each.without_points:
            click.echo(f"{each.clip.uri}: {each.without_points} faces have no points")
    if not found:
        click.echo(f"{workspace}: knows no clip yet")


def _lister(kind: Kind, words: str) -> click.Command:
    """A command that lists frames with one fault, a line each: number, and name if there is one."""

    def listing(
        ctx: click.Context, workspace: Path, clip: str, as_json: bool, every: int = 1
    ) -> None:
        from ..jobs.alignments import frames_of

        with begin(ctx, {}) as run:
            found = frames_of(run, workspace, kind, uri=clip, every=every)
        if as_json:
            frames = [
                {"frame": each.number, "name": each.name, "faces": each.faces} for each in found
            ]
            click.echo(json.dumps({"workspace": str(workspace), kind: frames}))
            return
        for each in found:
            click.echo(f"{each.number} {each.name}".rstrip())
        click.echo(f"{workspace}: {len(found)} frames", err=True)

    listing.__doc__ = words
    wrapped: Any = _workspace(_clip(with_json(listing)))
    if kind == "missing-faces":
        option = click.option(
            "--every", default=1, type=click.IntRange(1), help="As the clip was extracted"
        )
        wrapped = option(wrapped)
    return job(kind)(wrapped)


no_faces = _lister("no-faces", "List the frames in which no face was found.")
multi_faces = _lister("multi-faces", "List the frames in which several faces were found.")
missing_faces = _lister("missing-faces", "List the frames of the clip that were never looked at.")
missing_frames = _lister(
    "missing-frames", "List the frames that WORKSPACE knows and that --clip does not have."
)


def _remover(what: Literal["faces", "pictures"], words: str) -> click.Command:
    """A command that brings WORKSPACE and FACESET together after one of them was thinned out."""

    def removing(
        ctx: click.Context,
        workspace: Path,
        faceset: Path,
        clip: str,
        look: bool,
        most: bool,
        as_json: bool,
    ) -> None:
        from ..jobs.alignments import remove_faces, remove_pictures

        remove = remove_faces if what == "faces" else remove_pictures
        with begin(ctx, {}) as run:
            done = remove(run, workspace, faceset, uri=clip, look=look, most=most)
        _removed(done, look, as_json)

    removing.__doc__ = words
    wrapped: Any = _workspace(_faceset(_clip(_look(_most(with_json(removing))))))
    return job(f"remove-{what}")(wrapped)


remove_faces = _remover(
    "faces",
    """Forget the faces whose pictures were deleted from FACESET.

    \b
    mien extract clip.mp4 -o faces/clip --workspace work
    mien alignments remove-faces work faces/clip --look
    mien alignments remove-faces work faces/clip
    """,
)
remove_pictures = _remover(
    "pictures", "Move the pictures whose faces WORKSPACE no longer knows into FACESET/removed."
)


def _removed(done: Removed, look: bool, as_json: bool) -> None:
    gone: list[Any] = [str(path) for path in done.pictures] or [list(p) for p in done.places]
    if as_json:
        facts = {
            "removed" if not look else "would_go": gone,
            "of": done.of,
            "backup": str(done.backup) if done.backup else None,
            "moved_to": str(done.moved_to) if done.moved_to else None,
        }
        click.echo(json.dumps(facts))
        return
    for path in done.pictures:
        click.echo(path)
    for frame, position in done.places:
        click.echo(f"frame {frame}, face {position}")
    kind = "would go" if look else "are gone"
    click.echo(f"{len(gone)} of {done.of} {kind}", err=True)
    if done.backup:
        click.echo(f"backup: {done.backup}", err=True)
    if done.moved_to:
        click.echo(f"moved to: {done.moved_to}", err=True)


@job("extract", sections=("extract", "runtime"))
@_workspace
@click.argument("clip")
@click.option("--output", "-o", "faces", required=True, type=_path, help="The faceset")
@with_json
def extract(ctx: click.Context, workspace: Path, clip: str, faces: Path, as_json: bool) -> None:
    """Take the faces out of CLIP once more, by the points that WORKSPACE has now."""
    from ..jobs.alignment_files import extract_again

    with begin(ctx, {}) as run:
        count = extract_again(run, workspace, faces, uri=clip)
    facts = {"faceset": str(faces), "faces": count}
    click.echo(json.dumps(facts) if as_json else f"{faces}: {count} faces")


@job("spatial")
@_workspace
@_clip
@click.option("--components", default=20, type=click.IntRange(1, 136), help="Ways of moving kept")
@click.option("--reach", default=2, type=click.IntRange(0, 50), help="Neighbours on each side")
@with_json
def spatial(
    ctx: click.Context, workspace: Path, clip: str, components: int, reach: int, as_json: bool
) -> None:
    """Steady the shapes of all faces along their tracks.

    Each face keeps its place and size; what trembles in its shape is averaged away.
    """
    from ..jobs.alignments import spatial

    with begin(ctx, {}) as run:
        count, before, after, saved = spatial(
            run, workspace, uri=clip, components=components, reach=reach
        )
    if as_json:
        facts = {"faces": count, "jitter": [before, after], "backup": str(saved)}
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"{count} faces; jitter: {before:.2f} % of the eye distance before, {after:.2f} % after"
    )
    click.echo(f"backup: {saved}", err=True)


@job("merge")
@_workspace
@click.argument("others", nargs=-1, required=True, type=_path)
@click.option(
    "--prefer",
    type=click.Choice(("here", "there")),
    default="here",
    show_default=True,
    help="Whose faces count for a frame that both know",
)
@with_json
def merge(
    ctx: click.Context,
    workspace: Path,
    others: tuple[Path, ...],
    prefer: Literal["here", "there"],
    as_json: bool,
) -> None:
    """Take all that OTHERS know into WORKSPACE."""
    from ..jobs.alignments import merge_workspaces

    with begin(ctx, {}):
        taken, saved = merge_workspaces(workspace, others, prefer=prefer)
    if as_json:
        facts = [
            {
                "from": str(other),
                "clips": each.clips,
                "frames": each.frames,
                "faces": each.faces,
                "left": each.left,
            }
            for other, each in zip(others, taken, strict=True)
        ]
        click.echo(json.dumps({"taken": facts, "backup": str(saved)}))
        return
    for other, each in zip(others, taken, strict=True):
        left = f"; {each.left} frames were known" if each.left else ""
        click.echo(f"{other}: {each.faces} faces in {each.frames} frames{left}")
    click.echo(f"backup: {saved}", err=True)


@job("export")
@_workspace
@click.argument("file", type=_path)
@_clip
@with_json
def export(ctx: click.Context, workspace: Path, file: Path, clip: str, as_json: bool) -> None:
    """Write frames and faces into FILE: .json, or .csv with a row for each face."""
    from ..jobs.alignment_files import export_file

    with begin(ctx, {}) as run:
        frames, faces = export_file(run, workspace, file, uri=clip)
    facts = {"file": str(file), "frames": frames, "faces": faces}
    click.echo(json.dumps(facts) if as_json else f"{file}: {faces} faces in {frames} frames")


@job("import")
@_workspace
@click.argument("file", type=_path)
@_clip
@with_json
def import_(ctx: click.Context, workspace: Path, file: Path, clip: str, as_json: bool) -> None:
    """Make the faces of the frames in FILE those that it lists, as after editing what `export`
    wrote."""
    from ..jobs.alignment_files import import_file

    with begin(ctx, {}) as run:
        done = import_file(run, workspace, file, uri=clip)
    _entered(done, as_json)


@job("from-faces")
@_workspace
@_faceset
@_clip
@with_json
def from_faces(
    ctx: click.Context, workspace: Path, faceset: Path, clip: str, as_json: bool
) -> None:
    """Make the faces of the frames that FACESET shows those of its pictures' metadata."""
    from ..jobs.alignment_files import from_faces

    with begin(ctx, {}) as run:
        done = from_faces(run, workspace, faceset, uri=clip)
    _entered(done, as_json)


def _entered(done: Entered, as_json: bool) -> None:
    if as_json:
        facts = {
            "frames": done.frames,
            "faces": done.faces,
            "new": done.new,
            "backup": str(done.backup),
        }
        click.echo(json.dumps(facts))
        return
    click.echo(f"{done.faces} faces in {done.frames} frames, {done.new} of them new")
    click.echo(f"backup: {done.backup}", err=True)


@job("backup")
@_workspace
@click.option("--list", "listing", is_flag=True, help="Only list those that there are")
@with_json
def backup(ctx: click.Context, workspace: Path, listing: bool, as_json: bool) -> None:
    """Write all of WORKSPACE's database into WORKSPACE/backups, with a time stamp."""
    from ..jobs.backups import backup, backups, opened

    with begin(ctx, {}), opened(workspace):
        paths = backups(workspace) if listing else [backup(workspace)]
    if as_json:
        click.echo(json.dumps({"backups": [str(path) for path in paths]}))
        return
    for path in paths:
        click.echo(path)


@job("restore")
@_workspace
@click.argument("name")
@with_json
def restore(ctx: click.Context, workspace: Path, name: str, as_json: bool) -> None:
    """Go back to the backup NAME; what is there now is backed up before."""
    from ..jobs.backups import restore

    with begin(ctx, {}):
        path, before = restore(workspace, name)
    facts = {"restored": str(path), "backup": str(before)}
    click.echo(json.dumps(facts) if as_json else f"{workspace}: is as in {path}; before: {before}")


for each in (
    *(status, no_faces, multi_faces, missing_faces, missing_frames),
    *(remove_faces, remove_pictures, extract, spatial, merge, export, import_, from_faces),
    *(backup, restore),
):
    command.add_command(each)
