"""What a file is, told by its first bytes: the names of downloaded weights are worth little."""

from __future__ import annotations

import zipfile
from enum import StrEnum
from pathlib import Path

from ..errors import WeightsError


class Format(StrEnum):
    """The kinds of files that users take for weights, in words for a message."""

    SAFETENSORS = "a safetensors file"
    TORCH = "a torch file"
    OLD_TORCH = "a torch file of before 1.6"
    PICKLE = "a pickle, as DeepFaceLab writes them"
    NPZ = "a NumPy archive"
    CAFFE = "a Caffe model"
    ONNX = "an ONNX model"
    ZIP = "a zip archive"
    NUMPY = "a single NumPy array"
    HDF5 = "a Keras file (HDF5)"
    WEB_PAGE = "a web page"
    POINTER = "a Git LFS pointer, not the file that it points to"
    EMPTY = "an empty file"
    UNKNOWN = "a file of an unknown kind"


# The first thing in such a file is a pickled number, 0x1950a86a20f9469cfc6c.
_OLD_TORCH = bytes.fromhex("8a0a6cfc9c46f9206aa85019")
_BEGINNINGS = (
    (b"\x89HDF\r\n", Format.HDF5),
    (b"\x93NUMPY", Format.NUMPY),
    (b"version https://git-lfs", Format.POINTER),
)


def tell_format(path: Path) -> Format:
    """What the file is.  Raises WeightsError where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
        if head.startswith(b"PK\x03\x04"):
            return _tell_zip(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WeightsError(f"{path}: cannot be read: {reason}") from error
    for beginning, found in _BEGINNINGS:
        if head.startswith(beginning):
            return found
    if head[2:].startswith(_OLD_TORCH):
        return Format.OLD_TORCH
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return Format.WEB_PAGE
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return Format.SAFETENSORS
    if path.suffix == ".caffemodel":
        return Format.CAFFE
    if path.suffix == ".onnx" and head[:1] == b"\x08":  # field 1, the version of the format
        return Format.ONNX
    if head[:1] == b"\x80" or path.suffix in (".npy", ".dat"):
        return Format.PICKLE
    return Format.UNKNOWN if head else Format.EMPTY


def _tell_zip(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return Format.TORCH  # torch says what is wrong with it
    if any(name.endswith("/data.pkl") for name in names):
        return Format.TORCH
    if names and all(name.endswith(".npy") for name in names):
        return Format.NPZ
    return Format.ZIP
