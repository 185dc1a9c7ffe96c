"""What a run may ask of a trained model, and what stays as it was begun."""

from __future__ import annotations

import pytest
from mien.errors import ConfigError, InputError, PluginError
from mien.jobs.model import find_model, open_model
from mien.registry import Registry


def test_a_swap_may_ask_for_another_morph_but_not_for_another_net(make_model, make_job):
    folder = make_model("amp", morph=0.5)
    assert find_model(make_job(), folder).options.morph == 0.5
    run = make_job(
        model__amp__morph=0.25,
        model__amp__resolution=128,
        model__amp__face_type="head",
        model__amp__batch_size=3,
    )
    found = find_model(run, folder)
    assert (found.options.morph, found.options.batch_size) == (0.25, 3)
    assert (found.options.resolution, found.options.face_type.value) == (64, "whole")
    assert run.events.notes == [
        "model.amp.face_type: stays whole, as the model was begun",
        "model.amp.resolution: stays 64, as the model was begun",
    ]
    assert open_model(run, str(folder)).stage.spec.size == 64


def test_an_option_of_a_model_that_is_out_of_range_names_the_card(make_model, make_job):
    folder = make_model("amp")
    card = folder / "model.json"
    card.write_text(card.read_text().replace('"morph": 1.0', '"morph": 7.0'))
    with pytest.raises(ConfigError, match=r"model.json: morph: must be 0..1, is 7"):
        find_model(make_job(), folder)


def test_no_model_and_a_file_that_nobody_runs(make_job, tmp_path):
    with pytest.raises(ConfigError, match="no model was named"):
        open_model(make_job(), "")
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match=r"is neither the folder of a model nor a file that"):
        open_model(make_job(), str(tmp_path / "a.txt"))
    (tmp_path / "a.dfm").touch()
    run = make_job()
    object.__setattr__(run, "registry", Registry())
    with pytest.raises(PluginError, match="it comes with: pip install mien-model-dfm"):
        open_model(run, str(tmp_path / "a.dfm"))
