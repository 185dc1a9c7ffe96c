"""Files of tensors of every kind, and what is said of damaged, strange and hostile ones."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mien.errors import WeightsError
from mien.weights.tensors import load_into, read_tensors

torch = pytest.importorskip("torch")

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
BIAS = np.array([0.5, -1], np.float32)
NAMED = {"weight": WEIGHT, "bias": BIAS}


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("echo broken into",)


def as_torch(extra: Any = None, **how: Any) -> Callable[[Path], None]:
    content = {key: torch.from_numpy(value) for key, value in NAMED.items()}
    if extra is not None:
        content["extra"] = extra
    return lambda path: torch.save(content, path, **how)


def as_safetensors(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(dict(NAMED), path)


def as_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(NAMED, 4))


def as_npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **NAMED)


def as_zip(path: Path) -> None:
    inner = path.with_name("inner")
    as_torch()(inner)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "folder/net.pth")
        archive.writestr("readme.txt", "a net")
        archive.writestr("__MACOSX/folder/._net.pth", "what a Mac adds")


WRITERS: dict[str, Callable[[Path], None]] = {
    "torch": as_torch(),
    "old torch": as_torch(_use_new_zipfile_serialization=False),
    "safetensors": as_safetensors,
    "DeepFaceLab": as_pickle,
    "npz": as_npz,
    "zip": as_zip,
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["weights.bin", "weights.pth", "weights.npy", "weights.tar"])
def test_every_kind_is_read_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    WRITERS[kind](path)
    read = read_tensors(path)
    assert read.keys() == NAMED.keys()
    for key, value in NAMED.items():
        assert read[key].dtype == np.float32
        np.testing.assert_array_equal(read[key], value)


def test_wrappers_and_prefixes_go_and_halves_become_floats(tmp_path: Path) -> None:
    path = tmp_path / "net.pth.tar"
    inner = {
        "module.a": torch.ones(2, dtype=torch.float16),
        "module.b": torch.ones(2, dtype=torch.bfloat16),
        "module.c.num_batches_tracked": torch.tensor(3),
    }
    torch.save({"epoch": 7, "state_dict": inner}, path)
    read = read_tensors(path)
    assert list(read) == ["a", "b", "c.num_batches_tracked"]
    assert [value.dtype.name for value in read.values()] == ["float32", "float32", "int64"]


def field(number: int, content: bytes | int) -> bytes:
    def varint(value: int) -> bytes:
        digits = bytearray()
        while value > 127:
            digits.append(value & 127 | 128)
            value >>= 7
        return bytes([*digits, value])

    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def test_a_caffe_model_of_either_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    shape = field(7, field(1, b"\x02\x03"))
    weight = shape + field(5, WEIGHT.tobytes())
    bias = b"".join(field(n, side) for n, side in enumerate((1, 1, 1, 2), 1))
    bias += field(5, BIAS.tobytes())
    new = field(
        100, field(1, b"fc") + field(2, b"InnerProduct") + field(7, weight) + field(7, bias)
    )
    old = field(2, field(4, b"fc") + field(5, 14) + field(6, weight) + field(6, bias))
    for layer in (new, old):
        path.write_bytes(field(1, b"a net") + layer)
        read = read_tensors(path)
        np.testing.assert_array_equal(read["fc.weight"], WEIGHT)
        np.testing.assert_array_equal(read["fc.bias"], BIAS)
    path.write_bytes(field(1, b"a net") + new[:-3])
    with pytest.raises(WeightsError, match=r"net\.caffemodel: no Caffe model, or a damaged one"):
        read_tensors(path)


class SavedInOldTimes(torch.nn.Module):
    pass


NOT_WEIGHTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a hostile torch file": (
        as_torch(Hostile()),
        r"refused, it asks for (posix|nt)\.system, which no weight file needs",
    ),
    "a hostile old torch file": (
        as_torch(Hostile(), _use_new_zipfile_serialization=False),
        r"refused, it asks for (posix|nt)\.system, which no weight file needs",
    ),
    "a hostile pickle": (
        lambda path: path.write_bytes(pickle.dumps(NAMED | {"x": Hostile()}, 4)),
        r"refused, it asks for (posix|nt)\.system, which no plain data needs",
    ),
    "a whole module": (
        lambda path: torch.save(SavedInOldTimes(), path),
        r"refused, it asks for .*SavedInOldTimes, which no weight file needs",
    ),
    "a tensor without names": (
        lambda path: torch.save(torch.zeros(3), path),
        "holds a Tensor instead of named tensors",
    ),
    "a pickled list": (
        lambda path: path.write_bytes(pickle.dumps([1, 2])),
        "holds a list instead of named tensors",
    ),
    "nothing in it": (lambda path: path.write_bytes(pickle.dumps({})), "holds no tensors"),
    "a tensor larger than its file": (
        lambda path: torch.save({"a": torch.zeros(1).expand(1 << 20, 1 << 20)}, path),
        "its tensors are larger than the file",
    ),
    "a sparse tensor": (
        lambda path: torch.save({"a": torch.eye(2).to_sparse()}, path),
        "holds tensors of an unknown kind",
    ),
    "a web page": (
        lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>404"),
        "is no file of weights, but a web page",
    ),
    "a pointer": (
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:"),
        "is no file of weights, but a Git LFS pointer",
    ),
    "a Keras file": (
        lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"),
        r"is no file of weights, but a Keras file \(HDF5\)",
    ),
    "an array alone": (
        lambda path: np.save(path.open("wb"), WEIGHT),
        "is no file of weights, but a single NumPy array",
    ),
    "nothing": (lambda path: path.write_bytes(b""), "is no file of weights, but an empty file"),
    "a text": (lambda path: path.write_bytes(b"hello"), "but a file of an unknown kind"),
    "a missing file": (lambda path: None, "cannot be read: no such file or directory"),
}


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("what", NOT_WEIGHTS)
def test_what_is_no_weight_file_is_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    write, reason = NOT_WEIGHTS[what]
    path = tmp_path / "net.bin"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        write(path)
    with pytest.raises(WeightsError, match=rf"net\.bin: .*{reason}"):
        read_tensors(path)


def test_zips_with_several_or_no_files_or_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.zip"
    for names, reason in (
        (["a.pth", "b.pth"], r"must hold one file of weights, holds a\.pth, b\.pth; unpack it"),
        (["a.txt"], "holds none; unpack it"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")
        with pytest.raises(WeightsError, match=reason):
            read_tensors(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.pth", b"\0" * 10_000_000)
    with pytest.raises(WeightsError, match=r"a\.pth would unpack to far too much"):
        read_tensors(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../a.pth", b"x" * 100)
    with pytest.raises(WeightsError, match=r"net\.zip, \.\./\.\./a\.pth: is no file"):
        read_tensors(path)
    assert [each.name for each in tmp_path.iterdir()] == ["net.zip"]


@pytest.mark.parametrize("kind", WRITERS)
@given(place=st.floats(0, 1), new=st.binary(max_size=6), cut=st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_end_in_a_sentence_or_in_tensors(
    tmp_path: Path, kind: str, place: float, new: bytes, cut: bool
) -> None:
    path = tmp_path / "net.bin"
    WRITERS[kind](path)
    data = path.read_bytes()
    at = int(place * len(data))
    path.write_bytes(data[:at] + (new if cut else new + data[at + len(new) :]))
    try:
        read = read_tensors(path)
    except WeightsError as error:
        told = str(error)
    else:
        told = str(path)
        assert all(isinstance(value, np.ndarray) for value in read.values())
    assert "net" in told


def linear(tensors: dict[str, Any]) -> Any:
    net = torch.nn.Linear(3, 2)
    load_into(net, tensors, Path("net.pth"), title="Linear")
    return net


def test_tensors_are_put_into_a_net() -> None:
    frozen = WEIGHT.copy()
    frozen.setflags(write=False)
    net = linear({"weight": frozen, "bias": BIAS})
    np.testing.assert_array_equal(net.weight.detach().numpy(), WEIGHT)
    with torch.no_grad():
        net.weight.zero_()
    assert frozen.any()  # the net has its own


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"weight": WEIGHT}, "lacks bias"),
        (NAMED | {"more": BIAS}, "holds besides more"),
        (
            {"weight": WEIGHT.T, "other": BIAS},
            r"lacks bias; holds besides other; weight is (3, 2), must be (2, 3)",
        ),
        ({f"k{n}": BIAS for n in range(9)} | NAMED, "holds besides k0, k1, k2 and 6 more"),
    ],
)
def test_a_net_of_another_kind_is_told_by_its_keys(tensors: dict[str, Any], reason: str) -> None:
    with pytest.raises(WeightsError) as caught:
        linear(tensors)
    assert str(caught.value) == f"net.pth: not the weights of Linear: {reason}"


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"damaged weights of Linear: bias holds no numbers"):
        linear({"weight": WEIGHT, "bias": np.array([np.nan, 0], np.float32)})


def test_a_missing_counter_is_no_mistake() -> None:
    net = torch.nn.BatchNorm2d(2)
    names = ("weight", "bias", "running_mean", "running_var")
    load_into(net, dict.fromkeys(names, BIAS), Path("net.pth"), title="Norm")
    np.testing.assert_array_equal(net.running_mean.numpy(), BIAS)


def test_arrays_cut_short_are_told_by_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "XSeg_256.npy"
    data = pickle.dumps({"a": WEIGHT}, 4)
    at = data.index(WEIGHT.tobytes())
    shorter = data[: at - 1] + struct.pack("B", 23) + data[at : at + 23] + data[at + 24 :]
    path.write_bytes(shorter)
    with pytest.raises(WeightsError, match=r"needs 24 bytes, has 23"):
        read_tensors(path)
