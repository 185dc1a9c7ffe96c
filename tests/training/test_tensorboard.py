"""Event files are read back with the protobuf library and a checksum written another way."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mien.errors import OutputError
from mien.training.show.tensorboard import EventFile, crc32c

pytest.importorskip("google.protobuf")

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELDS = {
    # message: (name, number, type, label)   types as in FieldDescriptorProto, 11 with its message
    "Event": [
        ("wall_time", 1, 1, ""),
        ("step", 2, 3, ""),
        ("file_version", 3, 9, ""),
        ("summary", 5, 11, "Summary"),
        ("session_log", 7, 11, "SessionLog"),
    ],
    "SessionLog": [("status", 1, 5, "")],
    "Summary": [("value", 1, 11, "Value*")],
    "Value": [
        ("tag", 1, 9, ""),
        ("simple_value", 2, 2, ""),
        ("image", 4, 11, "Image"),
        ("tensor", 8, 11, "Tensor"),
        ("metadata", 9, 11, "Metadata"),
    ],
    "Image": [
        ("height", 1, 5, ""),
        ("width", 2, 5, ""),
        ("colorspace", 3, 5, ""),
        ("encoded_image_string", 4, 12, ""),
    ],
    "Tensor": [("dtype", 1, 5, ""), ("shape", 2, 11, "Shape"), ("string_val", 8, 12, "*")],
    "Shape": [],
    "Metadata": [("plugin_data", 1, 11, "Plugin"), ("data_class", 4, 5, "")],
    "Plugin": [("plugin_name", 1, 9, "")],
}


@pytest.fixture(scope="module")
def event_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="t", syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind, other in fields:
            label = 3 if other.endswith("*") else 1
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if kind == 11:
                added.type_name = f".t.{other.rstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Event"))


def slow_crc(data: bytes) -> int:
    """Bit by bit, most significant bit first over mirrored bytes: not the way it was written."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            top = (crc >> 31) ^ (byte >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x1EDC6F41 if top else 0)
    return int(f"{crc:032b}"[::-1], 2) ^ 0xFFFFFFFF


def records(path: Path) -> Iterator[bytes]:
    data, place = path.read_bytes(), 0
    while place < len(data):
        head = data[place : place + 8]
        (length,) = struct.unpack("<Q", head)
        body = data[place + 12 : place + 12 + length]
        for part, start in ((head, place + 8), (body, place + 12 + length)):
            crc = slow_crc(part)
            masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
            assert struct.unpack("<I", data[start : start + 4]) == (masked,)
        yield body
        place += 16 + length


@pytest.mark.parametrize(
    ("data", "wanted"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA)],  # RFC 3720, B.4
)
def test_checksums_are_those_of_the_standard(data: bytes, wanted: int) -> None:
    assert crc32c(data) == wanted == slow_crc(data)


def test_a_reader_finds_everything(tmp_path: Path, event_class: Any) -> None:
    events = EventFile(tmp_path, 300)
    events.scalars({"loss/source": 0.125, "learning rate": 5e-5}, 301)
    encoded = bytes(cv2.imencode(".png", np.zeros((20, 400, 3), np.uint8))[1])
    events.picture("preview", encoded, (400, 20), 302)
    events.sentence("notes", "größer wird's nicht", 303)
    events.rewind(300)
    events.flush()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("events.out.tfevents.")
    version, begun, scalars, picture, sentence, again = (
        event_class.FromString(record) for record in records(path)
    )
    assert version.file_version == "brain.Event:2"
    assert begun.session_log.status == again.session_log.status == 1
    assert begun.step == again.step == 301
    assert scalars.wall_time > 1.7e9
    found = {value.tag: value.simple_value for value in scalars.summary.value}
    assert found == {"loss/source": 0.125, "learning rate": pytest.approx(5e-5)}
    assert [scalars.step, picture.step, sentence.step] == [301, 302, 303]
    (value,) = picture.summary.value
    assert (value.image.width, value.image.height, value.image.colorspace) == (400, 20, 3)
    assert value.image.encoded_image_string == encoded
    (value,) = sentence.summary.value
    assert value.metadata.plugin_data.plugin_name == "text"
    assert value.metadata.data_class == 2
    assert value.tensor.dtype == 7
    assert value.tensor.string_val == ["größer wird's nicht".encode()]


def test_runs_in_one_folder_get_files_of_their_own(tmp_path: Path) -> None:
    EventFile(tmp_path, 0)
    EventFile(tmp_path, 0)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        EventFile(tmp_path / "file", 0)
