"""The net against the original's numbers, and the real weights on photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mien_retinaface
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.errors import WeightsError  # noqa: E402
from mien.geometry.boxes import suppress  # noqa: E402
from mien.onnx import export_onnx, open_session  # noqa: E402
from mien.runtime import make_context  # noqa: E402
from mien.testing.nets import golden_state  # noqa: E402
from mien.types import Frame  # noqa: E402
from mien_retinaface.decode import decode_boxes, decode_points, make_priors  # noqa: E402
from mien_retinaface.files import build_net, export_plan, load_net  # noqa: E402
from mien_retinaface.stage import prepare  # noqa: E402
from mien_retinaface.variants import VARIANTS  # noqa: E402

Shared = Callable[[str], Path]
WEIGHTS = "weights/retinaface_1mb_mobilenet0.25_Final.pth"


GOLDEN = {
    "pytorch": ("retinaface_mnet_net_320x320", 0.7),
    "resnet50": ("retinaface_r50_net_256x256", 0.5),
}
KEYS = {
    "pytorch": "retinaface_mobilenet0.25",
    "resnet50": "retinaface_resnet50",
    "faceswap-mobilenet": "faceswap_retina_mobilenet",
    "faceswap-resnet": "faceswap_retina_resnet",
}


@pytest.mark.parametrize("variant", GOLDEN)
def test_the_net_gives_the_numbers_of_the_original(shared: Shared, variant: str) -> None:
    name, gain = GOLDEN[variant]
    net = build_net(VARIANTS[variant]).eval()
    net.load_state_dict(golden_state(net, gain=gain), strict=True)
    with np.load(shared(f"golden/nets/{name}.npz")) as golden:
        wanted = [golden[key] for key in ("loc", "conf", "landms")]
        image = golden["input_rgb"][..., ::-1]
    fed = prepare(image, image.shape[1::-1])
    with torch.inference_mode():
        given = net(torch.from_numpy(fed[None].copy()))
    for ours, theirs in zip(given, wanted, strict=True):
        error = np.abs(ours[0].numpy() - theirs).max() / np.abs(theirs).max()
        assert error < 1e-5  # seen: 1e-6


@pytest.mark.parametrize("variant", KEYS)
def test_the_keys_are_those_of_the_published_files(shared: Shared, variant: str) -> None:
    listed = json.loads(shared("spec/nets-weights.json").read_text(encoding="utf-8"))
    state = build_net(VARIANTS[variant]).state_dict()
    ours = {key: list(value.shape) for key, value in state.items()}
    assert ours == {key: shape for key, shape, _ in listed["nets"][KEYS[variant]]["keys"]}


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_layouts_are_read(tmp_path: Path, prefix: str) -> None:
    state = build_net(VARIANTS["pytorch"]).state_dict()
    path = tmp_path / "net.pth"
    torch.save({prefix + key: value for key, value in state.items()}, path)
    loaded = load_net(path, VARIANTS["pytorch"]).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"body.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"other.pth: not the weights of RetinaFace MobileNet"):
        load_net(path, VARIANTS["1mb"])
    state = build_net(VARIANTS["pytorch"]).state_dict()
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"holds besides LandmarkHead"):
        load_net(path, VARIANTS["faceswap-mobilenet"])
    with pytest.raises(WeightsError, match=r"not the weights of RetinaFace ResNet-50: lacks body"):
        load_net(path, VARIANTS["resnet50"])


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (ran,)

    path = tmp_path / "trap.pth"
    torch.save({"body.stage1.0.0.weight": Trap()}, path)
    with pytest.raises(WeightsError, match=r"trap.pth"):
        load_net(path, VARIANTS["pytorch"])
    assert not ran.exists()


def found_in(run: Callable[[Any], Any], image: Any, scale: float) -> Any:
    """Rows of box, score and points by the rules of the reference: score, +1 areas, keep 750."""
    fed = cv2.resize(image, None, fx=scale, fy=scale) if scale != 1 else image
    height, width = fed.shape[:2]
    loc, conf, landms = (np.asarray(each)[0] for each in run(prepare(fed, (width, height))[None]))
    sure = np.flatnonzero(conf[:, 1] > 0.02)
    priors = make_priors(height, width, VARIANTS["1mb"].min_sizes)[sure]
    size = np.float32([width, height]) / np.float32(scale)
    boxes = decode_boxes(loc[sure], priors) * np.tile(size, 2)
    points = (decode_points(landms[sure], priors) * size).reshape(-1, 10)
    kept = suppress(boxes, conf[sure, 1], 0.4, plus_one=True)[:750]
    rows = np.column_stack([boxes, conf[sure, 1], points])[kept]
    return rows[rows[:, 4] >= 0.5][:150]


@pytest.mark.slow
def test_real_weights_find_the_reference_faces_in_torch_and_onnx(
    shared: Shared, tmp_path: Path
) -> None:
    net = load_net(shared(WEIGHTS), VARIANTS["1mb"])
    export_onnx(export_plan(net), tmp_path / "net.onnx")
    session = open_session(tmp_path / "net.onnx", threads=2)
    reference = json.loads(shared("golden/nets/photo_reference.json").read_text(encoding="utf-8"))
    for name, photo in reference.items():
        image = cv2.imread(str(shared(f"data/photos/{name}")))
        for entry in ("retinaface_1mb_mnet025", "retinaface_1mb_mnet025_long640"):
            wanted = [
                [*one["box"], one["score"], *np.ravel(one["landmarks5"])]
                for one in photo[entry]["dets"]
            ]
            scale = photo[entry].get("resize", 1.0)
            for run in (
                lambda fed: net(torch.from_numpy(fed)),
                lambda fed: session.run(None, {"image": fed}),
            ):
                with torch.inference_mode():
                    rows = found_in(run, image, scale)
                assert rows.shape == (len(wanted), 15) or not wanted
                if wanted:  # the JSON holds 3 decimals
                    np.testing.assert_allclose(rows, wanted, atol=1.5e-3, err_msg=name)


@pytest.mark.slow
def test_a_close_up_is_one_face_and_a_meadow_is_none(shared: Shared, tmp_path: Path) -> None:
    context = make_context(
        device="cpu", threads=2, weight_folders=[shared("weights")], cache=tmp_path
    )
    stage = mien_retinaface.create(mien_retinaface.Options(weights="1mb"), context)
    stage.open()
    portrait = cv2.imread(str(shared("data/photos/fa_aflw_test.jpg")))[120:390, 110:340]
    close_up = cv2.resize(portrait, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    meadow = cv2.imread(str(shared("data/photos/fa_grass_noface.jpg")))
    frames = [Frame(index=0, image=close_up), Frame(index=1, image=meadow)]
    (face,), nothing = stage(frames)
    assert face.box[3] - face.box[1] > 900
    assert nothing == ()
