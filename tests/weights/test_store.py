"""Where weight files are found, and what is said where they are not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from mien.errors import WeightsError
from mien.stages import WeightFile
from mien.weights import WeightStore, default_cache, default_folders, file_sha256

GOOD = b"weights of a net" * 10
FILE = WeightFile(
    name="net.bin",
    size=len(GOOD),
    sha256=hashlib.sha256(GOOD).hexdigest(),
    urls=("https://example.org/net.bin",),
    licence="MIT",
)


def store_of(tmp_path: Path, **settings: object) -> WeightStore:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    folders = (tmp_path / "first", tmp_path / "second")
    return WeightStore(folders, tmp_path / "cache", **settings)  # type: ignore[arg-type]


def test_a_file_is_found_by_its_name_in_any_folder(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    (tmp_path / "second" / "net.bin").write_bytes(GOOD)
    assert store.find(FILE) == tmp_path / "second" / "net.bin"


def test_a_renamed_file_is_found_by_its_content(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    (tmp_path / "first" / "other.bin").write_bytes(GOOD[::-1])
    (tmp_path / "first" / "my download (1).bin").write_bytes(GOOD)
    assert store.find(FILE).name == "my download (1).bin"


def test_a_look_alike_of_the_same_name_and_size_does_not_hide_the_right_file(
    tmp_path: Path,
) -> None:
    store = store_of(tmp_path)
    (tmp_path / "first" / "net.bin").write_bytes(GOOD[::-1])
    (tmp_path / "second" / "net.bin").write_bytes(GOOD)
    assert store.find(FILE) == tmp_path / "second" / "net.bin"


def test_the_cache_is_searched_last(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "net.bin").write_bytes(GOOD)
    assert store.find(FILE).parent.name == "cache"
    (tmp_path / "second" / "net.bin").write_bytes(GOOD)
    assert store.find(FILE).parent.name == "second"


def test_a_missing_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        store_of(tmp_path).find(FILE)
    assert str(caught.value) == (
        "weights 'net.bin' (160 bytes, licence: MIT, from https://example.org/net.bin) are not on "
        "this machine; get it with 'mien weights pull net.bin', or put the file into a folder "
        "named by MIEN_WEIGHTS or by [weights] folders"
    )


def test_a_damaged_file_is_told_with_both_hashes(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    bad = tmp_path / "first" / "net.bin"
    bad.write_bytes(GOOD[::-1])
    found = hashlib.sha256(GOOD[::-1]).hexdigest()
    with pytest.raises(WeightsError) as caught:
        store.find(FILE)
    assert str(caught.value) == (
        f"{bad}: not the weights 'net.bin': its SHA-256 is {found}, must be {FILE.sha256}; "
        "remove it and run 'mien weights pull net.bin'"
    )
    assert store.status(FILE).state == "damaged"
    assert store.status(FILE).path == bad


def test_a_file_of_the_wrong_size_is_told_without_reading_it(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    (tmp_path / "first" / "net.bin").write_bytes(GOOD[:-1])
    with pytest.raises(WeightsError, match="it has 159 bytes, must have 160"):
        store.find(FILE)


def test_a_file_is_read_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.bin"
    path.write_bytes(GOOD)
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, name: reads.append(1) or digest(file, name)
    )
    assert file_sha256(path) == file_sha256(path) == FILE.sha256
    assert len(reads) == 1
    path.write_bytes(GOOD[::-1])
    os.utime(path, ns=(0, 1))
    assert file_sha256(path) != FILE.sha256
    assert len(reads) == 2


def test_verify_reads_the_disk_again(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    path = tmp_path / "first" / "net.bin"
    path.write_bytes(GOOD)
    store.find(FILE)
    facts = path.stat()
    path.write_bytes(GOOD[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert store.find(FILE) == path
    with pytest.raises(WeightsError, match="SHA-256"):
        store.verify(FILE)


def test_folders_come_from_a_variable_like_path() -> None:
    environ = {"MIEN_WEIGHTS": os.pathsep.join(["/a", "", "~/b"])}
    assert default_folders(environ) == (Path("/a"), Path("~/b").expanduser())
    assert default_folders({}) == ()


def test_the_cache_follows_xdg_and_ignores_a_relative_path() -> None:
    assert default_cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/mien")
    assert default_cache({"XDG_CACHE_HOME": "c"}) == Path.home() / ".cache" / "mien"
