"""A model goes into a workspace of DeepFaceLab's and comes back with one command."""

from __future__ import annotations

import json


def test_a_model_goes_into_a_workspace_and_comes_back(make_model, mien, tmp_path):
    folder = make_model("df")
    place, ours = tmp_path / "theirs", tmp_path / "ours"
    code, _, err = mien("export", "dfl-workspace", "--model", folder, "--name", "anna", "-o", place)
    assert code == 0, err
    assert (place / "model" / "anna_SAEHD_data.dat").is_file()
    code, out, err = mien("import", "dfl", place, "-o", ours, "--json")
    assert code == 0, err
    made = {"model": str(ours / "models" / "anna"), "plugin": "saehd", "iteration": 7}
    assert json.loads(out) == {"facesets": [], "models": [made]}
    code, out, err = mien("import", "dfl", place, "-o", ours, "--json")
    assert code == 0, err
    assert json.loads(out)["models"] == []
    assert "holds a model already" in err


def test_a_model_that_cannot_be_taken_over_does_not_stop_the_rest(make_model, mien, tmp_path):
    place = tmp_path / "theirs"
    mien("export", "dfl-workspace", "--model", make_model("df"), "--name", "a", "-o", place)
    (place / "model" / "b_Quick96_data.dat").write_bytes(b"\x80\x04cos\nsystem\n.")
    code, out, err = mien("import", "dfl", place, "-o", tmp_path / "ours", "--json")
    assert code == 0, err
    assert len(json.loads(out)["models"]) == 1
    assert "model 'b' (Quick96) was not taken over" in err
