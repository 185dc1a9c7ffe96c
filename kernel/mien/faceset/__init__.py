"""Facesets: folders of face crops, each picture carrying its own metadata as JSON."""

from __future__ import annotations

from .base import POLYGONS, Alignments, FaceFile, FaceStore, FaceWriter, FrameFaces
from .container import Header, check_whole, read_header
from .files import (
    PICTURES,
    check_square,
    decode_mask,
    decode_picture,
    encode_mask,
    read_face,
    read_file,
    read_record,
    with_record,
    write_face,
)
from .folder import Faceset, StoredFace, pictures
from .order import natural_key
from .pack import Pack, write_pack
from .record import MAX_SIZE, RECORD_VERSION, FaceRecord

__all__ = [
    "MAX_SIZE",
    "PICTURES",
    "POLYGONS",
    "RECORD_VERSION",
    "Alignments",
    "FaceFile",
    "FaceRecord",
    "FaceStore",
    "FaceWriter",
    "Faceset",
    "FrameFaces",
    "Header",
    "Pack",
    "StoredFace",
    "check_square",
    "check_whole",
    "decode_mask",
    "decode_picture",
    "encode_mask",
    "natural_key",
    "pictures",
    "read_face",
    "read_file",
    "read_header",
    "read_record",
    "with_record",
    "write_face",
    "write_pack",
]
