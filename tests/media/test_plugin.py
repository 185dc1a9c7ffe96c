"""Which reader and writer a name gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.errors import InputError, OutputError
from mien.media import plugin
from mien.media.base import ClipInfo, OutputPlan
from mien.media.contact import save_picture
from mien.media.pictures import PictureSource
from mien.media.video import VideoSource
from mien.media.write import VideoWriter
from mien.media.write_pictures import PictureWriter, SinglePictureWriter

INFO = ClipInfo(uri="a clip", width=8, height=6, frames=1)


def test_loading_the_plugin_brings_no_heavy_library() -> None:
    heavy = "{'av', 'cv2', 'numpy', 'torch', 'onnxruntime'}"
    code = f"import sys; sys.path[:] = {sys.path!r}; import mien.media.plugin; "
    code += f"print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_name_finds_its_reader(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    save_picture(folder / "p_01.png", np.zeros((4, 4, 3), np.uint8))
    video = make_clip("clip.mp4", 2)
    assert isinstance(plugin.open_source(video), VideoSource)
    for name in ("pictures", "pictures/p_01.png", "pictures/p_%02d.png", "pictures/*.png"):
        assert isinstance(plugin.open_source(tmp_path / name), PictureSource)


def test_a_name_with_wild_letters_that_exists_is_that_file(make_clip: Callable[..., Path]) -> None:
    assert isinstance(plugin.open_source(make_clip("take [1] 50%d.mp4", 2)), VideoSource)


def test_addresses_are_left_to_other_plugins(plan_for: Callable[..., OutputPlan]) -> None:
    assert plugin.mien_open_source("rtsp://camera/1") is None
    assert plugin.mien_open_writer("rtsp://screen/1", plan_for(INFO)) is None
    with pytest.raises(InputError, match="only local clips can be opened here"):
        plugin.open_source("rtsp://camera/1")


def test_a_missing_clip_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        plugin.open_source(tmp_path / "gone.mp4")
    assert str(error.value) == (
        f"{tmp_path}/gone.mp4: no such file or folder; check the spelling of the path"
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("out.mp4", VideoWriter),
        ("out.MKV", VideoWriter),
        ("folder", PictureWriter),
        ("shot/f_%05d.png", PictureWriter),
        ("out.png", SinglePictureWriter),
    ],
)
def test_every_name_finds_its_writer(
    plan_for: Callable[..., OutputPlan], tmp_path: Path, name: str, kind: type
) -> None:
    writer = plugin.open_writer(tmp_path / name, plan_for(INFO))
    assert isinstance(writer, kind)
    assert writer.keep_partial() is None
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_output_type_names_those_that_are_known(
    plan_for: Callable[..., OutputPlan], tmp_path: Path
) -> None:
    with pytest.raises(OutputError) as error:
        plugin.open_writer(tmp_path / "out.webm", plan_for(INFO))
    assert str(error.value) == (
        f"{tmp_path}/out.webm: cannot write a '.webm' file; name the output .mp4, .mov, .mkv, "
        ".avi, a folder, or a pattern such as 'frame_%05d.png'"
    )
