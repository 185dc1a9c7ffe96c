"""The formats that mien reads: good files, how faults reach their inside, how a user reads them."""

from __future__ import annotations

import json
import pickle
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mien_dfl
import mien_faceswap
import numpy as np
import samples
from mien.config import Config
from mien.errors import InputError
from mien.faceset import Faceset, FaceStore, decode_mask, with_record
from mien.faceset.pack import Pack
from mien.jobs.alignment_lists import read_list, write_list
from mien.jobs.dfl import look_at
from mien.jobs.faces_metadata import restore_metadata
from mien.jobs.run import Run, make_run
from mien.labels import (
    Label,
    draw_label,
    from_labelme,
    of_face,
    rasterise,
    read_label,
    to_labelme,
    with_polygons,
)
from mien.labels.files import label_bytes, read_json
from mien.labels.shapes import label_of
from mien.nets.dflfiles import KINDS, read_slots, read_weights
from mien.registry import Registry
from mien.types import Face
from mien.workspace import KnownClip, KnownFrame, Workspace, WorkspaceEditor
from mien_dfl import metadat
from mien_dfl.faces import to_info, to_record
from mien_dfl.jpeg import take_apart as take_jpeg_apart
from mien_faceswap.faces import to_header
from mien_faceswap.state import read_state
from strange import mutated, strange

Inside = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format.

    suffix  what the file is called;  good  whole files
    read    reads a file as a user would, and says how much was in it
    inside  puts faults where checksums and lengths still hold
    writes  whether reading it means to write beside it
    """

    suffix: str
    good: list[bytes]
    read: Callable[[Path], int]
    inside: Inside | None = None
    writes: bool = False

    def bad(self, rng: random.Random) -> bytes:
        """A mutated file; every second one where the container stays whole."""
        data = rng.choice(self.good)
        if self.inside is not None and rng.random() < 0.5:
            return self.inside(data, rng)
        return mutated(data, rng)


def formats(shared: Path | None, place: Path) -> dict[str, Format]:
    """All formats by name; the reference files are used besides, where they are on this machine.

    place  an empty folder, for what must be there to read a file
    """
    faces, swap, fsa = samples.dfl_faces(), [samples.swap_face()], [samples.swap_list()]
    made = faces[:]
    packs, metas = [samples.dfl_pack(faces)], [samples.dfl_meta()]
    if shared is not None:
        golden = shared / "golden"
        faces += [path.read_bytes() for path in golden.glob("dfl-image/face_*.jpg")]
        packs += [path.read_bytes() for path in golden.glob("dfl-image/*.pak")]
        metas += [path.read_bytes() for path in golden.glob("dfl-image/meta.dat")]
        swap += [path.read_bytes() for path in golden.glob("faceswap/face_header*.png")]
        fsa += [path.read_bytes() for path in golden.glob("faceswap/*.fsa")]
    return {
        "dfl-jpeg": Format(suffix="a.jpg", good=faces, read=read_folder, inside=inside_jpeg),
        "dfl-polygons": Format(suffix="a.jpg", good=made, read=read_folder, inside=odd_polygons),
        "dfl-pak": Format(suffix="faceset.pak", good=packs, read=read_folder, inside=inside_pack),
        "dfl-meta": Format(suffix="meta.dat", good=metas, read=read_meta, inside=inside_pickle),
        **model_formats(),
        "faceswap-png": Format(suffix="a.png", good=swap, read=read_folder, inside=inside_png),
        "faceswap-fsa": Format(
            suffix="a.fsa", good=fsa, read=read_alignments, inside=inside_zlib
        ),
        "faceswap-state": Format(
            suffix="a_state.json",
            good=[samples.swap_state()],
            read=lambda path: read_state(path).iterations,
            inside=inside_json,
        ),
        **our_formats(made, place),
    }  # fmt: skip


def model_formats() -> dict[str, Format]:
    """The files of a model of DeepFaceLab's."""
    files = samples.model_files()
    registry = Registry.installed()
    run = make_run("fuzz", registry, Config(registry))

    def read_weight_file(path: Path) -> int:
        return len(read_weights(path.with_name("a_SAEHD"), samples.SHAPES))

    def read_data(path: Path) -> int:
        """As a model of every kind: what one needs, another refuses."""
        found, errors = 0, []
        for kind in KINDS:
            try:
                found = look_at(run, path.with_name("a_SAEHD"), kind)[0].iterations
            except InputError as error:
                errors.append(error)
        if len(errors) == len(KINDS):
            raise errors[0]
        return found

    return {
        "dfl-npy": Format(
            suffix="a_SAEHD_encoder.npy", good=[files["npy"]], read=read_weight_file,
            inside=inside_pickle,
        ),
        "dfl-opt": Format(
            suffix="a_SAEHD_src_dst_opt.npy", good=[files["opt"]],
            read=lambda path: read_slots(path, samples.SHAPES).iterations, inside=inside_pickle,
        ),
        "dfl-dat": Format(
            suffix="a_SAEHD_data.dat", good=[files["dat"]], read=read_data, inside=inside_pickle
        ),
    }  # fmt: skip


def our_formats(faces: list[bytes], place: Path) -> dict[str, Format]:
    """What mien itself writes, and drawings of LabelMe's."""
    label = samples.label()
    theirs = to_labelme(label_of(label), "a.jpg")
    lists = known_lists(place)
    return {
        "mien-jpeg": Format(
            suffix="a.jpg",
            good=[samples.our_face(face, as_png=False) for face in faces],
            read=read_folder,
        ),
        "mien-png": Format(
            suffix="a.png",
            good=[samples.our_face(face, as_png=True) for face in faces],
            read=read_folder,
            inside=inside_png,
        ),
        "mien-pack": Format(
            suffix="faces.zip",
            good=[samples.our_pack(faces, place)],
            read=lambda path: read_store(path, Pack(path)),
            inside=inside_list,
        ),
        "mien-metadata": Format(
            suffix="saved.json",
            good=[samples.saved_faces(faces[0])],
            read=restorer(place / "restored", faces[0]),
            inside=inside_saved,
            writes=True,
        ),
        "mien-label": Format(
            suffix="a.jpg.json",
            good=[label_bytes("a.jpg", label_of(label))],
            read=lambda path: use_label(read_label(path)),
            inside=inside_json,
        ),
        "labelme": Format(
            suffix="a.json",
            good=[json.dumps(theirs).encode()],
            read=read_labelme,
            inside=inside_json,
        ),
        **lists,
    }


# --- how a user reads -----------------------------------------------------------------------------


def read_folder(path: Path) -> int:
    """Everything that training, import, export and masks do with the faces of a folder."""
    folder = path.parent
    store = mien_dfl.mien_open_faceset(path=folder) or mien_faceswap.mien_open_faceset(path=folder)
    return read_store(folder, store)


def read_store(place: Path, store: FaceStore | None) -> int:
    """As `read_folder`, of any store."""
    faceset = Faceset(place, store)
    for stored in faceset:
        for mask in stored.record.masks.values():
            decoded = decode_mask(mask, stored.record.size)
            assert decoded.shape == (stored.record.size, stored.record.size, 1)
        label = of_face(stored.path, stored.record)
        if label is not None:
            use_label(label)
            with_polygons(stored.record, label)
    count = 0
    for face in faceset.files():
        with_record(face)
        to_info(face.record, "")
        to_header(face.record, "a")
        count += 1
    return count


def use_label(label: Label) -> int:
    """All that is done with a drawing."""
    mask = rasterise(label, 64)
    assert np.isfinite(mask).all()
    draw_label(np.zeros((64, 64, 3), np.uint8), label, mask)
    to_labelme(label, "a.jpg")
    label_bytes("a.jpg", label)
    return max(1, len(label.shapes))


def read_labelme(path: Path) -> int:
    """A drawing of LabelMe's, as `mien mask import` takes it."""
    try:
        return use_label(from_labelme(read_json(path)))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def read_meta(path: Path) -> int:
    """All that a list of saved metadata holds."""
    saved = metadat.read_meta(path)
    for (height, width, _), info in saved.values():
        to_record(info, width, height, "")
    return len(saved)


def read_alignments(path: Path) -> int:
    """All faces of a list."""
    found = mien_faceswap.mien_read_alignments(path=path)
    assert found is not None
    return len(found.frames)


def restorer(folder: Path, face: bytes) -> Callable[[Path], int]:
    """Puts saved metadata back into a picture that lost it."""
    folder.mkdir()
    picture = folder / "a.jpg"
    bare = take_jpeg_apart(face, "").picture
    registry = Registry.installed()
    run: Run = make_run("fuzz", registry, Config(registry))

    def read(path: Path) -> int:
        picture.write_bytes(bare)
        done = restore_metadata(run, folder=folder, path=path)
        if done.skipped or not done.written:
            raise InputError("it was skipped")
        return done.written

    return read


def known_lists(place: Path) -> dict[str, Format]:
    """The faces of a clip as lists, entered into a workspace that knows the clip."""
    clip = KnownClip(id=1, uri="clip.mp4", fingerprint="f" * 64, frames=3, still=False)
    Workspace(place / "work").close()
    store = WorkspaceEditor(place / "work")
    store._db.execute(
        "INSERT INTO clips (id, uri, fingerprint, info) VALUES (1, 'clip.mp4', ?, '{}')",
        (clip.fingerprint,),
    )
    points = samples.points().astype(np.float32)
    face = Face(box=(150, 100, 250, 220), score=0.5, landmarks=points, track=3)
    frames = [
        KnownFrame(number=n, pts=40 * n, time_base=Fraction(1, 25), name="a b") for n in range(3)
    ]
    faces = {0: {0: face, 1: Face(box=(1, 2, 3, 4), score=1.0)}, 2: {0: face}}

    def read(path: Path) -> int:
        listed = read_list(path, clip)
        store.put_faces(clip.id, list(listed.values()))
        store.remove_faces(clip.id, [place for place, _ in store.listed(clip.id)])
        for number in listed:
            store.faces(clip.id, number)
        return len(listed)

    made = {}
    for kind, inside in (("json", inside_json), ("csv", inside_csv)):
        path = place / f"list.{kind}"
        write_list(path, clip, frames, faces)
        made[f"mien-list-{kind}"] = Format(
            suffix=path.name, good=[path.read_bytes()], read=read, inside=inside, writes=True
        )
    return made


# --- faults where the container stays whole -------------------------------------------------------


def inside_json(data: bytes, rng: random.Random) -> bytes:
    """Odd values in a JSON file."""
    return json.dumps(strange(json.loads(data), rng)).encode("utf-8", "surrogatepass")


def inside_saved(data: bytes, rng: random.Random) -> bytes:
    """Odd values in saved metadata, whose lines stay as they are."""
    first, line, last = data.splitlines()
    name, _, record = line.partition(b":")
    return b"\n".join((first, name + b":" + inside_json(record, rng), last, b""))


def inside_list(data: bytes, rng: random.Random) -> bytes:
    """Faults in the list of files at the end of an archive."""
    at = data.index(b"PK\x01\x02")
    return data[:at] + mutated(data[at:], rng)


def inside_csv(data: bytes, rng: random.Random) -> bytes:
    """Odd values in a table."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    lines = strange(rows, rng)
    if not isinstance(lines, list):
        lines = [lines]
    text = "\n".join(",".join(map(str, row if isinstance(row, list) else [row])) for row in lines)
    return text.encode("utf-8", "surrogatepass")


def inside_pickle(data: bytes, rng: random.Random) -> bytes:
    """Odd values in a pickle that is otherwise sound.  It is one that was made here."""
    from mien.weights.pickles import loads

    return pickle.dumps(strange(loads(data), rng), rng.choice((2, 3, 4)))


def odd_polygons(data: bytes, rng: random.Random) -> bytes:
    """Odd values in what was drawn."""
    parts = take_jpeg_apart(data, "")
    assert parts.info is not None
    drawn = strange(parts.info["seg_ie_polys"], rng, times=rng.choice((1, 1, 2, 4)))
    payload = pickle.dumps(parts.info | {"seg_ie_polys": drawn}, rng.choice((2, 3, 4)))[:65533]
    segment = b"\xff\xef" + struct.pack(">H", len(payload) + 2) + payload
    return parts.picture[: parts.place] + segment + parts.picture[parts.place :]


def inside_jpeg(data: bytes, rng: random.Random) -> bytes:
    """Faults in the pickle of a JPEG."""
    at = data.index(b"\xff\xef")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    payload = mutated(data[at + 4 : at + 2 + length], rng)[:65533]
    segment = b"\xff\xef" + struct.pack(">H", len(payload) + 2) + payload
    return data[:at] + segment + data[at + 2 + length :]


def inside_pack(data: bytes, rng: random.Random) -> bytes:
    """Faults in the pickle of a pack."""
    length = int.from_bytes(data[8:16], "little")
    payload = mutated(data[16 : 16 + length], rng)
    return data[:8] + struct.pack("<Q", len(payload)) + payload + data[16 + length :]


def inside_png(data: bytes, rng: random.Random) -> bytes:
    """Faults in the text of a PNG, its checksum made good."""
    at = data.index(b"iTXt") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    keyword = 8 + data[at + 8 : at + 30].index(b"\0") + 5
    body = data[at + 4 : at + keyword] + mutated(data[at + keyword : at + 8 + length], rng)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:at] + chunk + data[at + 12 + length :]


def inside_zlib(data: bytes, rng: random.Random) -> bytes:
    """Faults in what a list unpacks to."""
    return zlib.compress(mutated(zlib.decompress(data), rng), 1)
