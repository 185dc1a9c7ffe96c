"""Layers of configuration, and what is said about a wrong one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from mien.config import KINDS, Setting, load, section_class, standard_files
from mien.errors import ConfigError
from mien.hooks import hookimpl
from mien.jobs.run import to_toml
from mien.media.base import OutputOptions
from mien.options import option
from mien.registry import Registry
from mien.stages import DetectorProvider, MaskerProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class BlazeOptions:
    threshold: float = option(0.5, "Lowest score", ge=0, le=1)
    batch_size: int = option(8, "Frames at once", unit="frames", ge=1)
    order: Literal["size", "score"] = option("size", "Which first")


@pytest.fixture
def registry() -> Registry:
    @hookimpl
    def mien_detectors():
        yield DetectorProvider(
            name="blaze", summary="x", options=BlazeOptions, create=lambda options, context: None
        )

    @hookimpl
    def mien_maskers():
        yield MaskerProvider(name="oval", summary="x", create=lambda options, context: None)

    plugin = SimpleNamespace(__name__="p", mien_detectors=mien_detectors, mien_maskers=mien_maskers)
    return Registry([("mien-blaze", "1", plugin)])


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_layer_everything_has_its_default(registry):
    config = load(registry)
    assert config.chosen("detector") == ("retinaface",)
    assert config.section("encode", OutputOptions) == OutputOptions()
    assert config.origin("encode.codec") == "default"


def test_later_layers_win_and_every_value_knows_its_origin(registry, tmp_path):
    user = write(tmp_path / "user.toml", "[encode]\nquality = 20\nbits = '8'\npreset = 'slow'\n")
    project = write(
        tmp_path / "mien.toml", "input = 'a.mp4'\n\n[encode]\nquality = 18\nbits='10'\n"
    )
    config = load(
        registry,
        files=[user, project],
        sets=["encode.bits=auto"],
        flags=[Setting(key="input", value="b.mp4", origin="TARGET")],
    )
    options = config.section("encode", OutputOptions)
    assert (options.preset, options.quality, options.bits) == ("slow", 18, "auto")
    assert config.origin("encode.preset") == f"{user}, line 4"
    assert config.origin("encode.quality") == f"{project}, line 4"
    assert config.origin("encode.bits") == "--set encode.bits=auto"
    assert config.job().input == "b.mp4"


def test_a_plugin_is_chosen_and_told_in_its_own_table(registry, tmp_path):
    file = write(
        tmp_path / "mien.toml",
        "[detector]\nuse = 'blaze'\n[detector.blaze]\nthreshold = 0.6\n",
    )
    config = load(registry, files=[file], sets=["detector.blaze.batch_size=2"])
    assert config.chosen("detector") == ("blaze",)
    options = config.options(registry.get(DetectorProvider, "blaze"))
    assert options == BlazeOptions(threshold=0.6, batch_size=2)


def test_several_maskers_one_or_none_may_be_chosen(registry):
    assert load(registry, sets=["masker.use=['oval','landmarks']"]).chosen("masker") == (
        "oval",
        "landmarks",
    )
    assert load(registry, sets=["masker.use=oval"]).chosen("masker") == ("oval",)
    assert load(registry, sets=["masker.use=none"]).chosen("masker") == ()


def test_every_problem_is_named_with_file_line_and_nearest_key(registry, tmp_path):
    file = write(
        tmp_path / "mien.toml",
        "[detectr]\nuse = 'x'\n\n[detector.blaze]\n# a remark\ntreshold = 0.6\n"
        "batch_size = 'two'\n\n[encode]\ncodec = 'h265x'\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(registry, files=[file], sets=["detector.blaze.order=up", "nonsense"])
    assert caught.value.problems == (
        "--set nonsense: must be KEY=VALUE, as in --set detector.use=retinaface",
        f"{file}, line 2: detectr.use: no such table or key; did you mean 'detector'?",
        f"{file}, line 6: detector.blaze.treshold: no such option; did you mean 'threshold'?",
        f"{file}, line 7: detector.blaze.batch_size: must be a whole number, is 'two'",
        f"{file}, line 10: encode.codec: must be one of h264, h265, ffv1, prores, is 'h265x'"
        "; did you mean 'h265'?",
        "--set detector.blaze.order=up: detector.blaze.order: must be one of size, score, is 'up'",
    )


def test_lines_are_found_for_dotted_and_inline_keys(registry, tmp_path):
    file = write(tmp_path / "a.toml", "\nencode.quality = 99\ndetector = { blaze = {order = 1} }\n")
    with pytest.raises(ConfigError) as caught:
        load(registry, files=[file])
    assert str(caught.value).count("line 2: encode.quality") == 1
    assert str(caught.value).count("line 3: detector.blaze.order") == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[output\n", "is not valid TOML"),
        (b"\xff\xfe\x00", "is not a text file in UTF-8"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_configuration_is_said_in_one_sentence(
    registry, tmp_path, content, words
):
    file = tmp_path / "mien.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(registry, files=[file])
    assert words in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("detector.use=none", "there must be a detector"),
        ("aligner.use=['a','b']", "must be one name"),
        ("detector.use=3", "must be the name of a detector"),
        ("detector.blase.threshold=1", ""),
        ("detector.blaze=1", "no such key; did you mean 'blaze'?"),
        ("runtime.device.x=1", "no such option"),
        ("encode={quality=99}", "encode.quality: must be 0..51, is 99"),
    ],
)
def test_wrong_words_of_set_are_refused(registry, word, words):
    if not words:  # options of a plugin that is not installed: nobody reads them
        load(registry, sets=[word])
        return
    with pytest.raises(ConfigError) as caught:
        load(registry, sets=[word])
    assert words in str(caught.value)
    assert f"--set {word}" in str(caught.value)


def test_plain_text_needs_no_quotes_in_set(registry):
    assert load(registry, sets=["input=my clip.mp4"]).job().input == "my clip.mp4"


def test_a_resolved_configuration_read_again_is_the_same(registry, tmp_path):
    config = load(registry, sets=["encode.quality=3", "detector.use=blaze", 'input="a\\"b\\nü"'])
    provider = registry.get(DetectorProvider, "blaze")
    tables = config.resolved(("encode", "runtime"), [provider])
    file = write(tmp_path / "run.toml", to_toml(tables))
    again = load(registry, files=[file])
    assert again.resolved(("encode", "runtime"), [provider]) == tables
    assert again.job().input == 'a"b\nü'


def test_every_section_of_the_kernel_can_be_described():
    from mien.config import SECTIONS
    from mien.options import describe

    for name in SECTIONS:
        assert describe(section_class(name)), name


def test_every_kind_has_a_default():
    from mien.registry import CATALOGUES

    assert set(KINDS) == {cls.kind for cls in CATALOGUES.values()}


def test_the_users_file_comes_before_the_projects(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "mien").mkdir(parents=True)
    user = write(tmp_path / "home" / "mien" / "mien.toml", "")
    project = write(tmp_path / "mien.toml", "")
    assert standard_files(folder=tmp_path) == [user, project]
    assert standard_files(explicit=tmp_path / "x.toml") == [user, tmp_path / "x.toml"]
