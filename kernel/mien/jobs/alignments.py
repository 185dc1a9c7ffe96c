"""`mien alignments`: what a workspace knows of a clip's faces, listed and put right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from ..arrays import Points
from ..atomic import reason
from ..errors import ConfigError, InputError, NothingFoundError, OutputError
from ..faceset import Faceset
from ..geometry.boxes import overlap
from ..labels import companions
from ..types import Face
from ..workspace import KnownClip, KnownFrame, Place, WorkspaceEditor
from ..workspace.editing import Taken
from .backups import back_up, opened
from .run import Run

REMOVED = "removed"
_SAME = 0.5
"""Boxes that overlap as much are the same face."""

Kind = Literal["no-faces", "multi-faces", "missing-faces", "missing-frames"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStatus:
    """What is known of one clip: frames by how many faces they hold, faces, tracks."""

    clip: KnownClip
    frames: int
    none: int
    one: int
    several: int
    faces: int
    without_points: int
    tracks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was taken away, or would be: faces by place, or pictures; of how many."""

    places: tuple[Place, ...] = ()
    pictures: tuple[Path, ...] = ()
    of: int = 0
    backup: Path | None = None
    moved_to: Path | None = None


def chosen(run: Run, store: WorkspaceEditor, uri: str) -> KnownClip:
    """The clip that is meant: the one at `uri`, or the only one.

    Raises InputError where the workspace does not know it, or knows several.
    """
    known = store.clips()
    if uri:
        same = [clip for clip in known if clip.uri == uri]
        if len(same) == 1:
            return same[0]
        with run.source(uri) as source:
            number = store.find_clip(source.info)
        return next(clip for clip in known if clip.id == number)
    if len(known) != 1:
        words = ", ".join(clip.uri for clip in known) or "none"
        raise InputError(f"{store.folder}: knows {len(known)} clips ({words}); say which: --clip")
    return known[0]


def status(workspace: Path) -> list[ClipStatus]:
    """Every clip of a workspace in numbers."""
    with opened(workspace) as store:
        return [_status(store, clip) for clip in store.clips()]


def _status(store: WorkspaceEditor, clip: KnownClip) -> ClipStatus:
    counts = [frame.faces for frame in store.frames(clip.id)]
    faces = [face for _, face in store.listed(clip.id)]
    return ClipStatus(
        clip=clip,
        frames=len(counts),
        none=counts.count(0),
        one=counts.count(1),
        several=sum(count > 1 for count in counts),
        faces=len(faces),
        without_points=sum(face.landmarks is None for face in faces),
        tracks=len({face.track for face in faces if face.track >= 0}),
    )


def frames_of(
    run: Run, workspace: Path, kind: Kind, *, uri: str = "", every: int = 1
) -> list[KnownFrame]:
    """The frames that have a fault.

    kind  `no-faces`, `multi-faces`: looked at, and not one face found, or more than one;
          `missing-faces`: frames of the clip that were never looked at, of every Nth;
          `missing-frames`: frames that are known, and that the clip at `uri` does not have
    """
    with opened(workspace) as store:
        if kind == "missing-frames":
            return _missing_frames(run, store, uri)
        clip = chosen(run, store, uri)
        known = store.frames(clip.id)
        if kind == "no-faces":
            return [frame for frame in known if not frame.faces]
        if kind == "multi-faces":
            return [frame for frame in known if frame.faces > 1]
        length = clip.frames or max((frame.number for frame in known), default=-1) + 1
        seen = {frame.number for frame in known}
        base = known[0].time_base if known else Fraction(1, 25)
        return [
            KnownFrame(number=number, pts=0, time_base=base)
            for number in range(0, length, every)
            if number not in seen
        ]


def _missing_frames(run: Run, store: WorkspaceEditor, uri: str) -> list[KnownFrame]:
    """The clip may have changed since, so it need not be the very one that was looked at."""
    if not uri:
        raise ConfigError("say in which clip the frames are looked for: --clip CLIP")
    with run.source(uri) as source:
        info = source.info
        named = {frame.name for frame in source.frames()} if info.still else set()
    clips = store.clips()
    same = [c for c in clips if c.fingerprint == info.fingerprint or c.uri == uri] or clips
    if len(same) != 1:
        raise InputError(f"{store.folder}: knows {len(clips)} clips, none of them is {uri}")
    if same[0].fingerprint != info.fingerprint and same[0].uri != uri:
        run.events.note(f"{uri}: is another clip than {same[0].uri}, which {store.folder} knows")
    known = store.frames(same[0].id)
    if named and any(frame.name for frame in known):
        return [frame for frame in known if frame.name not in named]
    return [frame for frame in known if frame.number >= info.frames]


def remove_faces(
    run: Run,
    workspace: Path,
    faceset: Path,
    *,
    uri: str = "",
    look: bool = False,
    most: bool = False,
) -> Removed:
    """Forget the faces whose picture is no longer in the faceset.

    look  only say which;  most  also where these are more than half
    Raises InputError where no picture is of the clip, ConfigError for more than half.
    """
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        pictures = _pictures(run, run.context.faceset(faceset), clip)
        faces = {place: face for place, face in store.listed(clip.id) if face.landmarks is not None}
        shown = set(_matched(faces, pictures).values())
        gone = tuple(place for place in faces if place not in shown)
        _check_share(len(gone), len(faces), "faces", look or most)
        if look or not gone:
            return Removed(places=gone, of=len(faces))
        saved = back_up(store)
        store.remove_faces(clip.id, gone)
    return Removed(places=gone, of=len(faces), backup=saved)


def remove_pictures(
    run: Run,
    workspace: Path,
    faceset: Path,
    *,
    uri: str = "",
    look: bool = False,
    most: bool = False,
) -> Removed:
    """Move the pictures whose face the workspace no longer knows into `FACESET/removed`.

    Pictures of other clips stay.  `look`, `most` and errors as for `remove_faces`.
    """
    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        faces = dict(store.listed(clip.id))
    pictures = _pictures(run, run.context.faceset(faceset), clip)
    kept = _matched(faces, pictures)
    gone = tuple(path for path in pictures if path not in kept)
    _check_share(len(gone), len(pictures), "pictures", look or most)
    if look or not gone:
        return Removed(pictures=gone, of=len(pictures))
    aside = faceset / REMOVED
    for path in gone:
        _move(path, aside)
    return Removed(pictures=gone, of=len(pictures), moved_to=aside)


def _pictures(run: Run, faces: Faceset, clip: KnownClip) -> dict[Path, tuple[int, Face]]:
    """Frame and face of every picture that is of this clip."""
    found = {}
    for path, record in faces.records():
        if record.fingerprint == clip.fingerprint:
            face = Face(box=record.box, landmarks=record.frame_landmarks)
            found[path] = (record.frame_index, face)
    for note in faces.notes[:20]:
        run.events.note(note)
    if faces.notes:  # a picture that cannot be read is no picture that was deleted
        raise InputError(
            f"faceset '{faces.folder}': {len(faces.notes)} of its pictures cannot be read; "
            "mend or delete them first"
        )
    if not found:
        raise InputError(f"faceset '{faces.folder}': holds no face of {clip.uri}")
    return found


def _matched(
    faces: Mapping[Place, Face], pictures: Mapping[Path, tuple[int, Face]]
) -> dict[Path, Place]:
    """Which picture shows which face: by frame, and by how much the boxes overlap."""
    by_frame: dict[int, list[Place]] = defaultdict(list)
    for place in faces:
        by_frame[place[0]].append(place)
    pairs = [
        (overlap(face.box, faces[place].box), path, place)
        for path, (frame, face) in pictures.items()
        for place in by_frame[frame]
    ]
    matched: dict[Path, Place] = {}
    taken: set[Place] = set()
    for likeness, path, place in sorted(pairs, key=lambda pair: -pair[0]):
        if likeness >= _SAME and path not in matched and place not in taken:
            matched[path] = place
            taken.add(place)
    return matched


def _check_share(gone: int, of: int, what: str, allowed: bool) -> None:
    if gone * 2 > of and not allowed:
        raise ConfigError(
            f"{gone} of {of} {what} would go, which is more than half; look at them with --look, "
            "and say --most if that is right"
        )


def _move(path: Path, aside: Path) -> None:
    """Move a picture aside, with what was drawn on it; nothing that lies there is overwritten."""
    place, number = aside / path.name, 1
    try:
        while any(then.exists() for _, then in _together(path, place)):
            number += 1
            place = aside / f"{path.stem}-{number}{path.suffix}"
        for now, then in _together(path, place):
            then.parent.mkdir(parents=True, exist_ok=True)
            now.rename(then)
    except OSError as error:
        raise OutputError(f"{path}: cannot be moved into {aside} ({reason(error)})") from error


def _together(path: Path, place: Path) -> list[tuple[Path, Path]]:
    return [*companions(path, place), (path, place)]


def merge_workspaces(
    workspace: Path, others: Sequence[Path], *, prefer: Literal["here", "there"]
) -> tuple[list[Taken], Path]:
    """Take all that other workspaces know into this one; counts for each, and the backup.

    prefer  whose faces count for a frame that both know
    """
    with opened(workspace) as store:
        for other in others:
            if other.resolve() == workspace.resolve():
                raise ConfigError(f"{other}: is the workspace itself")
            with opened(other):
                pass  # all must be readable before one is taken
        saved = back_up(store)
        taken = []
        for other in others:
            with opened(other) as theirs:
                taken.append(store.take_from(theirs, prefer))
    return taken, saved


def spatial(
    run: Run, workspace: Path, *, uri: str = "", components: int = 20, reach: int = 2
) -> tuple[int, float, float, Path]:
    """Steady the shapes of all tracks; how many faces, their jitter before and after, the backup.

    Jitter is that of `mien.finding.smooth`, percent of the distance of the eyes.
    Raises NothingFoundError where no face has points.
    """
    from ..finding.spatial import steadied_shapes

    with opened(workspace) as store:
        clip = chosen(run, store, uri)
        tracks: dict[int, list[tuple[Place, Face]]] = defaultdict(list)
        for place, face in store.listed(clip.id):
            if face.landmarks is not None:
                # Without tracks, the first faces of all frames are taken for the same person.
                tracks[face.track if face.track >= 0 else -1 - place[1]].append((place, face))
        if not tracks:
            raise NothingFoundError(f"{workspace}: no face of {clip.uri} has landmarks")
        moved: dict[Place, Points] = {}
        before, after = [], []
        for found in tracks.values():
            frames = [place[0] for place, _ in found]
            points = [face.landmarks for _, face in found if face.landmarks is not None]
            steady = steadied_shapes(frames, points, components=components, reach=reach)
            moved |= {place: each for (place, _), each in zip(found, steady, strict=True)}
            before += _jitters(frames, points)
            after += _jitters(frames, steady)
        saved = back_up(store)
        store.move_points(clip.id, moved)
    return len(moved), _percent(before), _percent(after), saved


def _jitters(frames: Sequence[int], points: Sequence[Points]) -> list[float]:
    from ..finding.smooth import jitter

    at = range(1, len(frames) - 1)
    even = [i for i in at if frames[i] - frames[i - 1] == frames[i + 1] - frames[i]]
    return [jitter(points[i - 1], points[i], points[i + 1]) for i in even]


def _percent(values: Sequence[float]) -> float:
    return 100 * sum(values) / max(len(values), 1)
