"""`mien weights`: what there is, what is fetched, what a file is."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mien.hooks import hookimpl
from mien.registry import Registry
from mien.stages import DetectorProvider, WeightFile
from mien.weights import WeightStore
from mien.weights.layouts import layout_digest
from mien.weights.published import PUBLISHED

Run = Callable[..., tuple[int, str, str]]

GOOD = pickle.dumps({"conv/weight:0": np.ones((2, 3), np.float32)}, 4)
SHA = hashlib.sha256(GOOD).hexdigest()
PLAIN = WeightFile(
    name="plain.npy", size=len(GOOD), sha256=SHA, urls=("https://example.org/p",), licence="MIT"
)
LIMITED = WeightFile(
    name="limited.npy",
    sha256="0" * 64,
    urls=("https://example.org/l",),
    licence="CC BY-NC 4.0",
    non_commercial=True,
)
UNKNOWN = WeightFile(name="unknown.npy", urls=("https://example.org/u.zip",), licence="none stated")
SHIPPED = WeightFile(name="own.npy", size=len(GOOD), sha256=SHA, package="a_shipping_package")


@pytest.fixture(autouse=True)
def cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two detectors that share a file; one package ships its own."""

    @hookimpl
    def mien_detectors() -> Any:
        yield DetectorProvider(
            name="one", summary="x", create=lambda o, c: None, weights=(PLAIN, LIMITED, SHIPPED)
        )
        yield DetectorProvider(
            name="two", summary="x", create=lambda o, c: None, weights=(PLAIN, UNKNOWN)
        )

    made = Registry([("cards", "1", SimpleNamespace(mien_detectors=mien_detectors))])
    monkeypatch.setattr(Registry, "installed", lambda: made)
    package = tmp_path / "site" / "a_shipping_package" / "weights"
    package.mkdir(parents=True)
    (package / "own.npy").write_bytes(GOOD)
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that MIEN_WEIGHTS names."""
    made = tmp_path / "mine"
    made.mkdir()
    monkeypatch.setenv("MIEN_WEIGHTS", str(made))
    return made


def test_the_list_says_what_is_here_who_uses_it_and_under_which_terms(
    mien: Run, folder: Path, tmp_path: Path
) -> None:
    (folder / "plain.npy").write_bytes(GOOD[::-1])
    (folder / "unknown.npy").write_bytes(b"another")
    another = hashlib.sha256(b"another").hexdigest()
    own = tmp_path / "site" / "a_shipping_package" / "weights" / "own.npy"
    code, out, _ = mien("weights", "list")
    assert code == 0
    assert out.splitlines() == [
        "limited.npy  size not published  detector one  licence: CC BY-NC 4.0  "
        "non-commercial use only",
        "    missing",
        f"own.npy  {len(GOOD)} bytes  detector one  licence: not stated",
        f"    shipped, {own}",
        f"plain.npy  {len(GOOD)} bytes  detector one, detector two  licence: MIT",
        f"    damaged: {folder / 'plain.npy'}",
        "unknown.npy  7 bytes  detector two  licence: none stated",
        f"    {folder / 'unknown.npy'}, cannot be verified: SHA-256 {another}",
    ]


def test_the_list_is_json_too_and_knows_files_that_nobody_uses(mien: Run) -> None:
    rows = {row["name"]: row for row in json.loads(mien("weights", "list", "--all", "--json")[1])}
    assert {file.name for file in PUBLISHED} <= rows.keys()
    assert rows["own.npy"]["shipped"] is True
    assert rows["limited.npy"] == {
        "name": "limited.npy",
        "summary": "",
        "plugins": ["detector one"],
        "state": "missing",
        "shipped": False,
        "path": None,
        "bytes": None,
        "sha256": "0" * 64,
        "found_sha256": None,
        "licence": "CC BY-NC 4.0",
        "non_commercial": True,
        "urls": ["https://example.org/l"],
    }
    vggface = rows["vggface2_resnet50_v3.pth"]
    assert (vggface["plugins"], vggface["non_commercial"]) == ([], True)


def test_verify_tells_good_unverified_and_missing_apart(mien: Run, folder: Path) -> None:
    (folder / "unknown.npy").write_bytes(GOOD)
    (folder / "renamed").write_bytes(GOOD)
    code, out, _ = mien("weights", "verify")
    assert code == 0
    assert out.splitlines() == [
        "limited.npy: not here",
        f"own.npy: good, {folder.parent / 'site' / 'a_shipping_package' / 'weights' / 'own.npy'}",
        f"plain.npy: good, {folder / 'renamed'}",
        f"unknown.npy: cannot be verified, {folder / 'unknown.npy'}, SHA-256 {SHA}",
    ]


def test_verify_fails_with_every_damaged_and_every_named_missing_file(
    mien: Run, folder: Path
) -> None:
    (folder / "plain.npy").write_bytes(GOOD[::-1])
    code, _, err = mien("weights", "verify", "plain.npy", "limited.npy")
    assert code == 7
    assert f"{folder / 'plain.npy'}: not the weights 'plain.npy': its SHA-256 is" in err
    assert "limited.npy: not here; get it with 'mien weights pull limited.npy'" in err
    state = json.loads(mien("weights", "verify", "plain.npy", "--json")[1])[0]["state"]
    assert state == "damaged"


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What the store was asked to fetch, and whether the user agreed."""
    asked: list[tuple[str, bool]] = []
    own = WeightStore._may_pull

    def fetch(
        self: Any, file: WeightFile, progress: Any, *, accept_non_commercial: bool = False
    ) -> Path:
        own(self, file, accept_non_commercial)
        asked.append((file.name, accept_non_commercial))
        return Path("fetched") / file.name

    monkeypatch.setattr(WeightStore, "pull", fetch)
    return asked


def test_pull_all_fetches_what_can_be_checked_and_tells_of_the_rest(
    mien: Run, pulled: list[tuple[str, bool]]
) -> None:
    code, out, err = mien("weights", "pull", "--all", "--accept-non-commercial")
    assert code == 0
    assert pulled == [("limited.npy", True), ("plain.npy", True)]
    assert out.splitlines() == [str(Path("fetched") / name) for name, _ in pulled]
    assert "unknown.npy: fetch it by hand from https://example.org/u.zip, and put the file" in err


def test_non_commercial_weights_need_consent(mien: Run, pulled: list[tuple[str, bool]]) -> None:
    code, _, err = mien("weights", "pull", "limited.npy")
    assert code == 7
    assert "(size not known, licence: CC BY-NC 4.0, non-commercial, from" in err
    assert "'mien weights pull --accept-non-commercial limited.npy'" in err
    assert pulled == []


def test_consent_may_be_given_at_a_terminal(
    mien: Run, pulled: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.confirm", lambda text, abort: asked.append(text) or True)
    assert mien("weights", "pull", "limited.npy", "plain.npy")[0] == 0
    assert asked == [
        "limited.npy is for non-commercial use only (licence: CC BY-NC 4.0). Download it?"
    ]
    assert pulled == [("limited.npy", True), ("plain.npy", False)]


def test_a_file_without_hash_is_not_fetched(mien: Run) -> None:
    code, _, err = mien("weights", "pull", "unknown.npy")
    assert code == 7
    assert "nobody published a SHA-256 to check them by; fetch the file by hand" in err


def test_nothing_named_and_wrong_names_are_told(mien: Run) -> None:
    code, _, err = mien("weights", "pull")
    assert code == 2
    assert "name a file (see: mien weights list), or say --all" in err
    code, _, err = mien("weights", "pull", "plain.np")
    assert code == 7
    assert "no installed plugin knows a weight file 'plain.np'; did you mean 'plain.npy'?" in err


def test_path_names_a_file_or_the_folders(mien: Run, folder: Path) -> None:
    (folder / "x").write_bytes(GOOD)
    assert mien("weights", "path", "plain.npy")[1] == f"{folder / 'x'}\n"
    assert mien("weights", "path")[1].splitlines()[0] == str(folder)


def test_show_tells_what_a_file_is(mien: Run, folder: Path) -> None:
    path = folder / "anything"
    path.write_bytes(GOOD)
    for words in ([path], ["plain.npy"]):
        code, out, _ = mien("weights", "show", *words)
        assert code == 0
        assert out.splitlines() == [
            f"{path}: pickle, as DeepFaceLab writes them, {len(GOOD)} bytes",
            f"  SHA-256 {SHA}",
            "  the published file own.npy, plain.npy, used by detector one, detector two",
            "  net: of an unknown kind",
            "  tensors: 1, with 6 numbers in all",
            "    conv/weight:0 (2, 3)",
        ]


def test_show_knows_nets_by_their_tensors_and_files_by_their_names(mien: Run, folder: Path) -> None:
    names = {"conv01/frn/eps:0": 1, **{f"conv{n}/frn/bias:0": 3 for n in range(20)}}
    tensors = {name: np.zeros(size, np.float32) for name, size in names.items()}
    path = folder / "unknown.npy"
    path.write_bytes(pickle.dumps(tensors, 4))
    out = mien("weights", "show", path)[1]
    assert "of which no SHA-256 is known, used by detector two" in out
    assert "net: XSeg (DeepFaceLab)" in out
    assert out.splitlines()[-1] == "    and 9 more (--keys shows all)"
    assert "more" not in mien("weights", "show", path, "--keys")[1]
    facts = json.loads(mien("weights", "show", path, "--json")[1])
    assert facts["named_like"] == ["unknown.npy"]
    assert facts["tensors"]["conv01/frn/eps:0"] == [1]


def test_show_refuses_what_is_no_weight_file(mien: Run, folder: Path) -> None:
    path = folder / "page.pth"
    path.write_bytes(b"<!DOCTYPE html>")
    code, _, err = mien("weights", "show", path)
    assert code == 7
    assert f"{path}: is no file of weights, but a web page" in err
    code, _, err = mien("weights", "show", folder / "none.pth")
    assert code == 7
    assert "none.pth: cannot be read: no such file or directory" in err


def test_the_layouts_of_published_nets_are_known(shared: Callable[[str], Path]) -> None:
    from mien.weights.layouts import LAYOUTS

    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))["nets"]
    digests = {
        layout_digest({key: SimpleNamespace(shape=shape) for key, shape, _ in net["keys"]})
        for net in listed.values()
    }
    assert digests == set(LAYOUTS)


def test_show_tells_what_an_onnx_file_takes_and_gives(mien: Run, folder: Path) -> None:
    helper = pytest.importorskip("onnx.helper")
    place = folder / "net.onnx"
    ends = [helper.make_tensor_value_info(name, 1, ["batch", 3]) for name in ("image", "mask")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["mask"])], "x", *zip(ends))
    opset = helper.make_operatorsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    place.write_bytes(model.SerializeToString())
    out = mien("weights", "show", place)[1].splitlines()
    assert out[0].startswith(f"{place}: ONNX model, ")
    assert out[-1] == "  net: takes image ['batch', 3]; gives mask ['batch', 3]"
    place.write_bytes(place.read_bytes()[:40])
    code, _, err = mien("weights", "show", place)
    assert code == 7
    assert f"{place}: not a usable ONNX file: " in err
