"""Every place where a pickle is read refuses one that is no data, and says why."""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mien.errors import MienError
from mien.faceset import Faceset
from mien.nets.dflfiles import read_data, read_slots, read_weights
from mien.testing.fakes import picture

mien_dfl = pytest.importorskip("mien_dfl")
mien_faceswap = pytest.importorskip("mien_faceswap")
SHAPES = {"encoder.conv.weight": (4, 3, 3, 3)}
TRACE = "mien-was-obeyed"


class _Runs:
    """A pickle of it runs a command when Python reads it."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {TRACE}",)


def shared_parts() -> bytes:
    """Sixty lists, each of which holds the one before twice: a walk through it never ends."""
    steps = (b"](h%ch%ce\x94" % (n, n) for n in range(60))
    return b"\x80\x04]\x94" + b"".join(steps) + b"."


HOSTILE = {
    "a command": (pickle.dumps({"iter": 1, "options": _Runs()}, 3), "system, which no plain data"),
    "an attribute": (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", "builtins.getattr"),
    "an object": (b"\x80\x02})\x81.", "makes an object of a class"),
    "deep nesting": (b"\x80\x04" + b"]" * 30_000 + b"a" * 29_999 + b".", "levels deep|nest"),
    "a memo loop": (b"\x80\x04]\x94h\x00a.", "itself|levels deep|nest"),
    "shared parts": (shared_parts(), "more than|items|levels deep|nest"),
    "a huge text": (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.", "damaged"),
    "a huge array": (
        pickle.dumps({"a": np.zeros(1)}, 3).replace(b"K\x01\x85", b"J\xff\xff\xff\x7f\x85"),
        "damaged|bytes|claims",
    ),
    "an endless number": (b"\x80\x02\x8b\xff\xff\xff\x00" + b"1" * 60_000 + b".", "damaged"),
    "a module outside": (b"\x80\x02cos\nsystem\n.", "asks for os.system"),
}


def jpeg(folder: Path, payload: bytes) -> None:
    data = bytes(cv2.imencode(".jpg", picture(16, 16))[1])
    segment = b"\xff\xef" + struct.pack(">H", len(payload) + 2) + payload
    (folder / "a.jpg").write_bytes(data[:20] + segment + data[20:])
    list(Faceset(folder, mien_dfl.mien_open_faceset(path=folder)))


def pack(folder: Path, payload: bytes) -> None:
    head = struct.pack("<QQ", 1, len(payload))
    (folder / "faceset.pak").write_bytes(head + payload + bytes(64))
    mien_dfl.mien_open_faceset(path=folder)


def meta(folder: Path, payload: bytes) -> None:
    (folder / "meta.dat").write_bytes(payload)
    (folder / "a.jpg").write_bytes(bytes(cv2.imencode(".jpg", picture(16, 16))[1]))
    mien_dfl.mien_open_faceset(path=folder)


def alignments(folder: Path, payload: bytes) -> None:
    path = folder / "a.fsa"
    path.write_bytes(zlib.compress(payload))
    mien_faceswap.mien_read_alignments(path=path)


def weights(folder: Path, payload: bytes) -> None:
    (folder / "a_SAEHD_encoder.npy").write_bytes(payload)
    read_weights(folder / "a_SAEHD", SHAPES)


def slots(folder: Path, payload: bytes) -> None:
    (folder / "opt.npy").write_bytes(payload)
    read_slots(folder / "opt.npy", SHAPES)


def data(folder: Path, payload: bytes) -> None:
    (folder / "a_SAEHD_data.dat").write_bytes(payload)
    read_data(folder / "a_SAEHD_data.dat")


@pytest.mark.parametrize("read", [jpeg, pack, meta, alignments, weights, slots, data])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch, read: Callable[[Path, bytes], None], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    payload, words = HOSTILE[name]
    with pytest.raises(MienError, match=words):
        read(tmp_path, payload)
    assert not (tmp_path / TRACE).exists()
