"""Reads mutated files of every foreign format, and says what became of them.

    python tests/fuzz/mutate.py --format dfl-jpeg --count 10000

Each file is read as a user would: opened, decoded, its masks decoded, its metadata given back.  A
file may be read or refused with a sentence; anything else ends the run with the file kept: another
exception, more processor time or memory than the limits, or anything that looks as if the file was
obeyed (an import, a compilation, a process, a connection, a file opened to be written).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import mien_dfl
import mien_faceswap
import numpy as np
from mien.errors import MienError
from mien.faceset import (
    FaceFile,
    Faceset,
    decode_mask,
    encode_mask,
    with_record,
)
from mien.geometry import crop_matrix, transform
from mien.testing.fakes import face_at, picture
from mien.types import FaceMask, FaceType
from mien_dfl import metadat, pak
from mien_dfl.faces import to_info, to_record
from mien_dfl.jpeg import put_together as put_into_jpeg
from mien_dfl.jpeg import take_apart as take_jpeg_apart
from mien_faceswap.faces import to_header
from mien_faceswap.geometry import square
from mien_faceswap.png import put_together as put_into_png
from mien_faceswap.values import face_table

SECONDS = 5.0
MEGABYTES = 1500
SIZE = 48
FORBIDDEN = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "subprocess.",
    "socket.", "pickle.find_class", "ctypes.", "compile", "exec", "import", "shutil.", "pty.",
    "webbrowser.", "urllib.",
)  # fmt: skip
INTERESTING = (
    b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"R", b"b", b"\x81", b"h\x00", b"\x94", b"(",
    b"]" * 40, b"0", b"2", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8a\xff", b".", b"\xff" * 8,
    b"\x00" * 8, b"\xff\xda", b"\xff\xd9", b"IDAT", b"__import__('os')", b"{" * 40, b"9" * 400,
    b"nan", b"-1e999", b"\\x", b"'", b",", b"\xff\xef\xff\xff",
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to six faults."""
    raw = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not raw:
            break
        at, kind = rng.randrange(len(raw)), rng.randrange(8)
        length = min(len(raw) - at, rng.choice((1, 2, 4, 8, 60)))
        if kind == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[at] = rng.randrange(256)
        elif kind == 2:
            del raw[at:]
        elif kind == 3:
            del raw[at : at + length]
        elif kind == 4:
            raw[at:at] = raw[at : at + length] * rng.choice((1, 2, 50))
        elif kind == 5:
            raw[at:at] = rng.choice(INTERESTING)
        elif kind == 6:
            number = rng.choice((0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63))
            raw[at : at + 8] = struct.pack(rng.choice("<>") + "Q", number)[: len(raw) - at]
        else:
            raw[at : at + length] = rng.randbytes(length)
    return bytes(raw)


class Format:
    """A format: good files, how a mutation reaches its inside, and how a user reads it."""

    def __init__(
        self,
        name: str,
        suffix: str,
        good: list[bytes],
        read: Callable[[Path], int],
        inside: Callable[[bytes, random.Random], bytes] | None = None,
    ) -> None:
        self.name, self.suffix, self.good, self.read, self.inside = name, suffix, good, read, inside

    def bad(self, rng: random.Random) -> bytes:
        """A mutated file; every second one where the checksums hold."""
        data = rng.choice(self.good)
        if self.inside is not None and rng.random() < 0.5:
            return self.inside(data, rng)
        return mutated(data, rng)


def formats(shared: Path | None) -> dict[str, Format]:
    """All formats; the reference files are used besides, where they are on this machine."""
    dfl, swap = dfl_faces(), [swap_face()]
    pak_bytes, meta_bytes = dfl_pack(dfl), dfl_meta()
    fsa, ours_jpg, ours_png = [swap_list()], [], []
    for face in dfl:
        parts = take_jpeg_apart(face, "")
        record = to_record(parts.info or {}, parts.width, parts.height, "")
        ours_jpg.append(with_record(FaceFile(name="a", data=parts.picture, record=record)))
        ours_png.append(with_record(FaceFile(name="a", data=png(), record=record)))
    paks, metas = [pak_bytes], [meta_bytes]
    if shared is not None:
        golden = shared / "golden"
        dfl += [path.read_bytes() for path in golden.glob("dfl-image/face_*.jpg")]
        paks += [path.read_bytes() for path in golden.glob("dfl-image/*.pak")]
        metas += [path.read_bytes() for path in golden.glob("dfl-image/meta.dat")]
        swap += [path.read_bytes() for path in golden.glob("faceswap/face_header*.png")]
        fsa += [path.read_bytes() for path in golden.glob("faceswap/*.fsa")]
    made = (
        Format("dfl-jpeg", "a.jpg", dfl, read_folder, inside_jpeg),
        Format("dfl-pak", "faceset.pak", paks, read_folder, inside_pack),
        Format("dfl-meta", "meta.dat", metas, read_meta),
        Format("faceswap-png", "a.png", swap, read_folder, inside_png),
        Format("faceswap-fsa", "a.fsa", fsa, read_alignments, inside_zlib),
        Format("mien-jpeg", "a.jpg", ours_jpg, read_folder),
        Format("mien-png", "a.png", ours_png, read_folder, inside_png),
    )
    return {each.name: each for each in made}


# --- how a user reads -----------------------------------------------------------------------------


def read_folder(path: Path) -> int:
    """Everything that training, import and export do with the faces of a folder."""
    folder = path.parent
    store = mien_dfl.mien_open_faceset(path=folder) or mien_faceswap.mien_open_faceset(path=folder)
    faceset = Faceset(folder, store)
    for stored in faceset:
        for mask in stored.record.masks.values():
            decoded = decode_mask(mask, stored.record.size)
            assert decoded.shape == (stored.record.size, stored.record.size, 1)
    count = 0
    for face in faceset.files():
        with_record(face)
        to_info(face.record, "")
        to_header(face.record, "a")
        count += 1
    return count


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


# --- mutations where the container stays whole ----------------------------------------------------


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


# --- good files -----------------------------------------------------------------------------------


def points() -> Any:
    """Landmarks of a face in a frame."""
    found = face_at(200, 150, 60).landmarks
    assert found is not None
    return found.astype(np.float64)


def dfl_info() -> dict[str, Any]:
    """Metadata with everything that a face can have."""
    matrix = crop_matrix(points().astype(np.float32), FaceType.WHOLE, SIZE)
    mask = np.frombuffer(encode_mask(np.ones((16, 16, 1), np.float32)), np.uint8)
    drawn = np.array([(1, 1), (30, 2), (9, 40)], np.float32)
    return {
        "face_type": "whole_face",
        "landmarks": transform(matrix, points()).tolist(),
        "source_filename": "00007.png",
        "source_rect": np.array([150, 100, 250, 220]),
        "source_landmarks": points().tolist(),
        "image_to_face_mat": matrix,
        "seg_ie_polys": {"polys": [{"type": 1, "pts": drawn}, {"type": 0, "pts": drawn[::-1]}]},
        "xseg_mask": mask[:, None],
        "eyebrows_expand_mod": 1.25,
    }


def dfl_faces() -> list[bytes]:
    """A face as two versions wrote it."""
    picture_bytes = bytes(cv2.imencode(".jpg", picture(SIZE, SIZE))[1])
    return [put_into_jpeg(picture_bytes, dfl_info(), protocol, "") for protocol in (3, 4)]


def dfl_pack(faces: list[bytes]) -> bytes:
    """A pack of these faces."""
    info = dfl_info()
    entries = [
        pak.entry(
            name=f"{number}.jpg",
            person="anna",
            face_type=4,
            shape=(SIZE, SIZE, 3),
            landmarks=info["landmarks"],
            polys=info["seg_ie_polys"],
            mask=info["xseg_mask"],
            brow=1.0,
            source="00007.png",
        )
        for number in range(len(faces))
    ]
    with tempfile.TemporaryFile() as stream:
        pak.write_pack(stream, entries, [len(face) for face in faces])
        stream.seek(0)
        return stream.read() + b"".join(faces)


def dfl_meta() -> bytes:
    """Saved metadata of two faces."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meta.dat"
        shape = (SIZE, SIZE, 3)
        metadat.write_meta(path, {"a.jpg": (shape, dfl_info()), "b.jpg": (shape, dfl_info())})
        return path.read_bytes()


def png() -> bytes:
    """A picture."""
    return bytes(cv2.imencode(".png", picture(SIZE, SIZE))[1])


def swap_table() -> dict[str, Any]:
    """What faceswap says of a face."""
    mask = FaceMask(mask=np.ones((32, 32, 1), np.float32), matrix=square(points(), 32, "head"))
    table = face_table(points(), (150.0, 100, 250, 220), mask)
    return table | {"identity": {"t-face_ir-101": [0.25] * 32}}


def swap_face() -> bytes:
    """A face with a header."""
    source = {
        "alignments_version": 2.4,
        "original_filename": "clip_000007_1.png",
        "face_index": 1,
        "source_filename": "clip_000007.mp4",
        "source_is_video": True,
        "source_frame_dims": (300, 400),
    }
    return put_into_png(png(), {"alignments": swap_table(), "source": source}, "")


def swap_list() -> bytes:
    """Alignments of two frames."""
    import pickle

    frame = {"faces": [swap_table() | {"thumb": [1, 2, 3]}], "video_meta": {}}
    tree = {"__meta__": {"version": 2.4}, "__data__": {"a_000001.mp4": frame, "b.png": frame}}
    return zlib.compress(pickle.dumps(tree, 4))


# --- the run --------------------------------------------------------------------------------------


class Obeyed(BaseException):
    """Something happened that no file may cause."""


class TooSlow(BaseException):
    """A file took longer than the limit."""


def main() -> int:
    """Run; 0 where nothing but reading and refusing happened."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--format", default="all")
    words.add_argument("--count", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--shared", type=Path, help="folder with the reference files")
    args = words.parse_args()
    known = formats(args.shared)
    chosen = list(known) if args.format == "all" else [args.format]
    with tempfile.TemporaryDirectory(dir=args_place()) as folder:
        for codec in ("raw_unicode_escape", "unicode_escape", "latin-1", "ascii"):
            "".encode(codec)  # all that is imported late
        mien_dfl.mien_open_faceset(path=Path(folder))
        mien_faceswap.mien_open_faceset(path=Path(folder))
        guard = Guard()
        for name in chosen:
            print(json.dumps(run(known[name], args.count, args.seed, Path(folder), guard)))
    return 0


def args_place() -> str | None:
    """Memory where there is a file system in it: thousands of files are no work for a disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class Guard:
    """Listens to what Python does while a file is read."""

    def __init__(self) -> None:
        self.watching = False
        sys.addaudithook(self._hear)
        signal.signal(signal.SIGPROF, self._ring)

    def _hear(self, event: str, values: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event.startswith(FORBIDDEN):
            self.watching = False
            raise Obeyed(f"{event} {values!r:.200}")
        if event == "open" and isinstance(values[1], str) and set(values[1]) & set("wax+"):
            self.watching = False
            raise Obeyed(f"{event} {values!r:.200}")

    def _ring(self, number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"took more than {SECONDS} s of the processor")


def run(form: Format, count: int, seed: int, folder: Path, guard: Guard) -> dict[str, Any]:
    """Read `count` mutated files; figures."""
    path = folder / form.suffix
    for data in form.good:  # lazy imports happen now, and good files are good
        path.write_bytes(data)
        assert form.read(path) > 0, form.name
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + (MEGABYTES << 20), -1))
    outcomes: Counter[str] = Counter()
    slowest, began = 0.0, time.perf_counter()
    for number in range(count):
        data = form.bad(random.Random(f"{form.name} {seed} {number}"))
        path.write_bytes(data)
        outcome, took = attempt(form, path, guard)
        outcomes[outcome] += 1
        slowest = max(slowest, took)
        if outcome not in ("read", "refused"):
            kept = Path(tempfile.gettempdir()) / f"mutated-{form.name}-{seed}-{number}"
            kept.write_bytes(data)
            raise SystemExit(f"{form.name}, seed {seed}, file {number}: {outcome}; kept as {kept}")
    path.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "format": form.name,
        "files": count,
        "seed": seed,
        "read": outcomes["read"],
        "refused": outcomes["refused"],
        "seconds": round(time.perf_counter() - began, 1),
        "slowest_ms": round(1000 * slowest, 1),
        "peak_mb": peak,
    }


def attempt(form: Format, path: Path, guard: Guard) -> tuple[str, float]:
    """What became of one file, and the seconds of the processor that it took."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    guard.watching = True
    try:
        form.read(path)
        outcome = "read"
    except MienError:
        outcome = "refused"
    except (Exception, Obeyed, TooSlow) as error:
        outcome = f"{type(error).__name__}: {error!s:.300}"
    finally:
        guard.watching = False
        signal.setitimer(signal.ITIMER_PROF, 0)
    return outcome, time.process_time() - began


def address_space() -> int:
    """Bytes of memory that this process has mapped now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
