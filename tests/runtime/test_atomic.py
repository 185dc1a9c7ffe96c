"""What is there already is told from what is new."""

from __future__ import annotations

import pytest
from mien.atomic import write_changed, write_new
from mien.errors import OutputError


def test_the_same_file_is_not_written_again(tmp_path):
    path = tmp_path / "new" / "a.bin"
    for write in (write_new, write_changed):
        path.unlink(missing_ok=True)
        assert write(path, b"one")
        before = path.stat().st_mtime_ns
        assert not write(path, b"one")
        assert path.stat().st_mtime_ns == before


def test_another_file_gives_way_only_to_a_change(tmp_path):
    path = tmp_path / "a.bin"
    write_new(path, b"one")
    with pytest.raises(OutputError, match="is there already and is another file"):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"
    assert write_changed(path, b"two")
    assert path.read_bytes() == b"two"


def test_a_folder_in_the_way_is_told(tmp_path):
    with pytest.raises(OutputError):
        write_new(tmp_path, b"one")
    with pytest.raises(OutputError, match="cannot be written"):
        write_new(tmp_path / ("a" * 300), b"one")
