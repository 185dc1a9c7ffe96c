"""Where weight files are found, and what is said where they are not."""

from __future__ import annotations

import hashlib
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

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


def test_the_disk_is_read_again_where_that_is_asked(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    path = tmp_path / "first" / "net.bin"
    path.write_bytes(GOOD)
    store.find(FILE)
    facts = path.stat()
    path.write_bytes(GOOD[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert store.find(FILE) == path
    assert store.status(FILE, afresh=True).state == "damaged"
    with pytest.raises(WeightsError, match="SHA-256"):
        store.find(FILE)


def test_folders_come_from_a_variable_like_path() -> None:
    environ = {"MIEN_WEIGHTS": os.pathsep.join(["/a", "", "~/b"])}
    assert default_folders(environ) == (Path("/a"), Path("~/b").expanduser())
    assert default_folders({}) == ()


def test_the_cache_follows_xdg_and_ignores_a_relative_path() -> None:
    assert default_cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/mien")
    assert default_cache({"XDG_CACHE_HOME": "c"}) == Path.home() / ".cache" / "mien"


UNKNOWN = WeightFile(
    name="net.pth", urls=("https://example.org/v1/net.zip",), licence="GPL-3.0 repository"
)


def test_a_file_that_nobody_published_a_hash_of_is_used_and_called_unverified(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_of(tmp_path)
    path = tmp_path / "second" / "net.pth"
    path.write_bytes(GOOD)
    status = store.status(UNKNOWN)
    assert (status.state, status.path, status.found) == ("unverified", path, FILE.sha256)
    assert status.usable
    with caplog.at_level("INFO"):
        assert store.find(UNKNOWN) == path
    assert f"{path}: nobody published its SHA-256; it has {FILE.sha256}" in caplog.text


def test_such_a_file_is_also_known_by_the_name_of_its_download(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    (tmp_path / "first" / "net.zip").write_bytes(GOOD)
    assert store.find(UNKNOWN) == tmp_path / "first" / "net.zip"


def test_a_size_alone_is_checked(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    bad = tmp_path / "first" / "net.pth"
    bad.write_bytes(GOOD[:-1])
    file = WeightFile(name="net.pth", size=len(GOOD))
    with pytest.raises(WeightsError) as caught:
        store.find(file)
    assert str(caught.value) == (
        f"{bad}: not the weights 'net.pth': it has 159 bytes, must have 160; remove it and fetch "
        "it again"
    )


def test_the_beginning_of_a_hash_is_enough(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    path = tmp_path / "first" / "net.bin"
    file = WeightFile(name="net.bin", sha256=FILE.sha256[:10])
    path.write_bytes(GOOD)
    assert store.status(file).state == "ready"
    path.write_bytes(GOOD[::-1])
    with pytest.raises(WeightsError, match=rf"must begin with {file.sha256}; remove it"):
        store.find(file)


def test_a_file_without_hash_is_never_downloaded(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    with pytest.raises(WeightsError) as caught:
        store.pull(UNKNOWN)
    assert str(caught.value) == (
        "weights 'net.pth' (size not known, licence: GPL-3.0 repository, from "
        "https://example.org/v1/net.zip) are not downloaded by the program, because nobody "
        "published a SHA-256 to check them by; fetch the file by hand, and put the file into a "
        "folder named by MIEN_WEIGHTS or by [weights] folders"
    )
    with pytest.raises(
        WeightsError, match=r"not on this machine; fetch it by hand from https://\S+, and put"
    ):
        store.find(UNKNOWN)


def test_non_commercial_weights_are_not_fetched_unasked(tmp_path: Path) -> None:
    file = WeightFile(**{**vars_of(FILE), "non_commercial": True, "licence": "CC BY-NC 4.0"})
    with pytest.raises(WeightsError) as caught:
        store_of(tmp_path).pull(file)
    assert str(caught.value) == (
        "weights 'net.bin' (160 bytes, licence: CC BY-NC 4.0, non-commercial, from "
        "https://example.org/net.bin) are for non-commercial use only; if that is your use, run "
        "'mien weights pull --accept-non-commercial net.bin'"
    )


def vars_of(file: WeightFile) -> dict[str, Any]:
    return {each.name: getattr(file, each.name) for each in fields(file)}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An import package that ships weights, and breaks where somebody imports it."""
    folder = tmp_path / "site" / "a_shipping_package"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder / "weights"


SHIPPED = WeightFile(
    name="net.bin", size=len(GOOD), sha256=FILE.sha256, package="a_shipping_package"
)


def test_a_shipped_file_is_found_first_without_importing_its_package(
    tmp_path: Path, package: Path
) -> None:
    store = store_of(tmp_path)
    for folder in (package, tmp_path / "first"):
        (folder / "net.bin").write_bytes(GOOD)
    assert store.find(SHIPPED) == package / "net.bin"
    (package / "net.bin").write_bytes(GOOD[::-1])
    assert store.find(SHIPPED) == tmp_path / "first" / "net.bin"


def test_a_shipped_file_needs_no_hash(tmp_path: Path, package: Path) -> None:
    (package / "net.bin").write_bytes(GOOD)
    file = WeightFile(name="net.bin", package="a_shipping_package")
    assert store_of(tmp_path).status(file).state == "ready"


def test_a_damaged_or_missing_shipped_file_means_a_new_installation(
    tmp_path: Path, package: Path
) -> None:
    store = store_of(tmp_path)
    with pytest.raises(WeightsError) as caught:
        store.find(SHIPPED)
    assert str(caught.value) == (
        "weights 'net.bin' (160 bytes, licence: not stated) are missing from the package "
        "'a_shipping_package' that ships them; install it again"
    )
    with pytest.raises(WeightsError, match="no address is known"):
        store.pull(SHIPPED)
    (package / "net.bin").write_bytes(GOOD[::-1])
    with pytest.raises(WeightsError, match="; install the package 'a_shipping_package' again"):
        store.find(SHIPPED)


def test_a_package_that_is_not_installed_ships_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    assert store.status(WeightFile(name="x", package="no_such_package")).state == "missing"
