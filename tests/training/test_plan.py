"""Plans are read strictly: what is wrong is said, with what may stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mien.errors import ConfigError
from mien.options import parse
from mien.training.options import TrainOptions
from mien.training.plan import Until, read_plan
from mien_model_saehd import Options as SaehdOptions


def test_stages_hold_their_options_and_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        '[[stage]]\nname = "shapes"\nuntil = { iterations = 20, minutes = 1.5 }\n'
        "[[stage]]\ntrain = { warp = 0.0 }\nmodel = { lr_dropout = true }\n"
    )
    first, second = read_plan(path)
    assert (first.name, first.until) == ("shapes", Until(iterations=20, minutes=1.5))
    assert (second.name, second.until) == ("stage 2", Until())
    assert (second.train, second.model) == ({"warp": 0.0}, {"lr_dropout": True})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[stage]", "is no TOML"),
        ("", "must hold tables [[stage]]"),
        ("stage = 3", "must hold tables [[stage]]"),
        ("[[stage]]\n[other]", "'other' is unknown"),
        ("[[stage]]\nends = 4", "stage 1: 'ends' is unknown"),
        ("[[stage]]\nuntil = 4", "stage 1: until must be a table"),
        ("[[stage]]\nuntil = { steps = 4 }", "steps"),
        ("[[stage]]\nuntil = { iterations = -4 }", "iterations"),
        ("[[stage]]\n[[stage]]", "stage 1 ('stage 1') never ends"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_plan(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_plan(tmp_path / "none.toml")


def test_the_plan_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "learning.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "plan.toml"
    path.write_text(block)
    stages = read_plan(path)
    assert [stage.name for stage in stages] == ["shapes", "details", "sharpness", "truth"]
    for stage in stages:
        parse(TrainOptions, stage.train)
        parse(SaehdOptions, stage.model)
