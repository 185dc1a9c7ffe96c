"""Facesets: folders of face crops, each picture carrying its own metadata as JSON."""

from __future__ import annotations

from .files import decode_mask, encode_mask, read_face, read_record, write_face
from .folder import Faceset, StoredFace
from .record import RECORD_VERSION, FaceRecord

__all__ = [
    "RECORD_VERSION",
    "FaceRecord",
    "Faceset",
    "StoredFace",
    "decode_mask",
    "encode_mask",
    "read_face",
    "read_record",
    "write_face",
]
