"""Losses of two people by hand; options that fit them; the parts of nets that are shared."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
import torch
from mien.errors import ConfigError
from mien.nets.fsblocks import Down, Dropout, InstanceNorm, MixedUpscale, SameConv, Upscale
from mien.nets.fsinitial import Drawing, build
from mien.nets.fsnets import Branch, area_matrix, mirror_edges
from mien.options import parse
from mien.training.base import Side
from mien.training.learning.people_options import PeopleOptions, ScaledOptions, share
from mien.training.losses.people_loss import PeopleLoss, eyes_and_mouth
from mien.training.losses.table import LOSSES, WHOLE
from torch import Tensor
from torch.nn import functional as nnf

PLAIN = {"loss": "mae", "loss_2": "none", "eye_multiplier": 1, "mouth_multiplier": 1, "margin": 0}


def side(size: int = 16, count: int = 1) -> Side:
    """A black picture; its mask is the left half; eyes at the top, the mouth at the bottom."""
    face = torch.zeros(count, 3, size, size)
    mask, focus = torch.zeros(2, count, 1, size, size)
    mask[..., : size // 2] = 1
    focus[..., 2:4, 2:6] = 1
    focus[..., 12:14, 2:6] = 0.5
    return Side(warped=face, face=face, mask=mask, focus=focus)


def loss(made: Tensor, shown: Side, **changes: object) -> float:
    options = parse(PeopleOptions, PLAIN | changes)
    found = PeopleLoss(options, (made.shape[-1],))((made,), None, shown)
    assert found.shape == (len(made),)
    return float(found.mean())


def test_every_loss_can_be_asked_for_by_name() -> None:
    hints = get_type_hints(PeopleOptions)
    assert set(get_args(hints["loss"])) == LOSSES.keys()
    for name in ("loss_2", "loss_3", "loss_4"):
        assert set(get_args(hints[name])) == {*LOSSES, "none"}


def test_only_the_face_counts_and_the_mean_is_over_all_pixels() -> None:
    made = torch.full((1, 3, 16, 16), 0.5)
    assert loss(made, side()) == pytest.approx(0.25)
    assert loss(made, side(), masked=False) == pytest.approx(0.5)
    assert loss(made, side(), margin=50) == pytest.approx(0.5)


def test_eyes_and_mouth_count_as_often_as_the_multipliers_say() -> None:
    made = torch.full((1, 3, 16, 16), 0.5)
    plain = 0.25
    eyes, mouth = 0.5 * 8 / 256, 0.5 * 4 / 256  # 8 pixels each, the mouth's half as strong
    assert loss(made, side(), eye_multiplier=3) == pytest.approx(plain + 2 * eyes)
    assert loss(made, side(), mouth_multiplier=2) == pytest.approx(plain + mouth)
    assert loss(made, side(), eye_multiplier=3, masked=False) == pytest.approx(0.5 + 2 * eyes)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_losses_of_a_whole_picture_look_at_the_face_and_again_at_eyes_and_mouth(name: str) -> None:
    made = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shown = side()
    eyes, mouth = eyes_and_mouth(shown.focus)
    wanted = sum(
        extent * LOSSES[name](made * part, shown.face * part)
        for part, extent in ((shown.mask, 1.0), (eyes, 2.0), (mouth, 1.0))
    )
    seen = loss(made, shown, loss=name, eye_multiplier=3, mouth_multiplier=2)
    assert seen == pytest.approx(float(wanted))


def test_losses_add_up_with_their_weights_and_one_may_be_named_twice() -> None:
    made = torch.full((1, 3, 16, 16), 0.5)
    both = loss(made, side(), loss_2="mse", loss_2_weight=2.0)
    assert both == pytest.approx(0.25 + 2 * 0.125)
    twice = loss(made, side(), loss_3="mae", loss_3_weight=0.5, loss_4="mae", loss_4_weight=0)
    assert twice == pytest.approx(0.25 + 0.5 * 0.25)


def test_every_size_has_its_own_target_and_full_weight() -> None:
    options = parse(PeopleOptions, PLAIN | {"masked": False})
    shown = side()
    small, large = torch.full((1, 3, 8, 8), 0.1), torch.full((1, 3, 16, 16), 0.3)
    found = PeopleLoss(options, (8, 16))((small, large), None, shown)
    assert float(found) == pytest.approx(0.4)


def test_masks_are_compared_whole() -> None:
    options = parse(PeopleOptions, PLAIN | {"mask_loss": "mae"})
    face, mask = torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    assert float(PeopleLoss(options, (16,))((face,), mask, side())) == pytest.approx(0.5)


def test_faces_too_small_for_a_loss_are_refused_with_every_reason() -> None:
    options = parse(PeopleOptions, {"loss": "ms_ssim", "loss_2": "laploss"})
    with pytest.raises(ConfigError) as error:
        PeopleLoss(options, (16, 64))
    assert "ms_ssim needs faces of 48 pixels; the model makes 16" in str(error.value)
    assert "laploss needs faces of 32 pixels; the model makes 16" in str(error.value)


@pytest.mark.parametrize(
    "values", [{"beta_1": 0.5}, {"beta_2": 0.99}, {"epsilon_exponent": -16}, {"weight_decay": 0.1}]
)
def test_what_only_adam_knows_is_refused_for_others(values: dict[str, float]) -> None:
    parse(PeopleOptions, values)
    ((name, value),) = values.items()
    wanted = f"{name} {value}: means something to adam, .* only, and the optimizer is rmsprop"
    with pytest.raises(ConfigError, match=wanted):
        parse(PeopleOptions, values | {"optimizer": "rmsprop"})


def test_eyes_and_mouth_are_told_apart_by_the_balance_of_their_map() -> None:
    focus = torch.zeros(2, 1, 32, 32)
    focus[0, 0, 5:8, 4:28], focus[0, 0, 20:26, 10:22] = 1.0, 0.6
    focus[1, 0, 9:11, 4:28], focus[1, 0, 24:31, 4:28] = 0.3, 1.0  # the mouth outweighs the eyes
    eyes, mouth = eyes_and_mouth(focus)
    torch.testing.assert_close(eyes + mouth, focus)
    for number, row in enumerate((8, 11)):
        assert not bool(eyes[number, :, row:].any())
        assert not bool(mouth[number, :, :row].any())
    nothing = eyes_and_mouth(torch.zeros(1, 1, 8, 8))
    assert not any(bool(part.any()) for part in nothing)


def test_a_share_of_the_channels_is_a_multiple_of_8_and_all_of_them_at_width_1() -> None:
    assert parse(ScaledOptions, {}).width == 1
    assert share(341, 1) == 341
    assert [share(1024, width) for width in (0.0625, 0.25, 2)] == [64, 256, 2048]
    assert share(32, 0.0625) == 8


@pytest.mark.parametrize(("size", "wanted"), [(128, 64), (160, 96), (256, 112)])
def test_a_smaller_picture_is_what_torch_calls_area(size: int, wanted: int) -> None:
    picture = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    rows = area_matrix(size, wanted)
    area = nnf.interpolate(picture, size=(wanted, wanted), mode="area")
    torch.testing.assert_close(rows @ picture @ rows.T, area)


@pytest.mark.parametrize(("kernel", "stride", "before"), [(5, 2, 1), (3, 1, 1), (4, 1, 1)])
def test_the_odd_pixel_of_the_padding_lies_behind(kernel: int, stride: int, before: int) -> None:
    conv = SameConv(1, 1, kernel, stride, bias=False)
    after = kernel - stride - before
    picture = torch.rand(1, 1, 8, 8)
    padded = nnf.pad(picture, (before, after, before, after))
    with torch.no_grad():
        wanted = nnf.conv2d(padded, conv.weight, stride=stride)
        torch.testing.assert_close(conv(picture), wanted)
        assert conv(picture).shape[-1] == 8 // stride


def test_an_upscale_rectifies_before_it_shuffles_unless_something_else_does() -> None:
    picture = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    active, raw = Upscale(4, 2, ratio=4), Upscale(4, 2, ratio=4, active=False)
    raw.load_state_dict(active.state_dict())
    with torch.no_grad():
        assert active(picture).shape == (1, 2, 12, 12)
        torch.testing.assert_close(active(picture), nnf.leaky_relu(raw(picture), 0.1))


@pytest.mark.parametrize("summed", [False, True])
def test_a_mixed_upscale_adds_two_ways_or_sets_them_side_by_side(summed: bool) -> None:
    block = MixedUpscale(4, 6, summed=summed)
    picture = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made, sharp = block(picture), block.shuffled(picture)
        smooth = nnf.interpolate(block.smooth(picture), scale_factor=2.0, mode="bilinear")
    assert made.shape == (1, 6, 6, 6)
    torch.testing.assert_close(made, sharp + smooth if summed else torch.cat((sharp, smooth), 1))


def test_an_instance_norm_has_one_mean_for_all_of_a_sample() -> None:
    seen = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 3 + 2
    seen[1] *= 5
    with torch.no_grad():
        made = InstanceNorm()(seen)
    torch.testing.assert_close(made.mean((1, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    spread = seen.std((1, 2, 3), correction=0)
    torch.testing.assert_close(made.std((1, 2, 3), correction=0), spread / (spread + 1e-3))


def test_whole_channels_drop_out_and_the_others_make_up_for_them() -> None:
    drop = Dropout(3, 0.25)
    drop.noise = torch.tensor([[0.1, 0.3, 0.9], [0.25, 0.2, 0.5], [0.0, 0.0, 0.0]])
    made = drop(torch.ones(2, 3, 2, 2))
    kept = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]) / 0.75
    torch.testing.assert_close(made, kept[..., None, None].expand(2, 3, 2, 2))
    torch.testing.assert_close(drop(torch.ones(2, 3)), kept)
    assert bool((drop.eval()(torch.ones(2, 3)) == 1).all())


def test_mirrored_edges_show_the_map_again_but_not_to_pictures() -> None:
    down, branch = Down(1, 2, slope=None), Branch(2, (4,), 3)
    for part in (down, branch):
        mirror_edges(part)
    picture = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    padded = nnf.pad(picture, (1, 2, 1, 2), mode="reflect")  # one before, two behind
    with torch.no_grad():
        wanted = nnf.conv2d(padded, down.weight, down.bias, stride=2)
        torch.testing.assert_close(down(picture), wanted)
        assert branch(torch.rand(1, 2, 8, 8)).shape == (1, 3, 16, 16)
    assert branch.upscales[0].conv.mirrors
    assert not branch.out.mirrors


@pytest.mark.parametrize("ratio", [2, 4])
def test_pixels_of_one_shuffle_begin_alike_where_that_is_asked_for(ratio: int) -> None:
    generator = torch.Generator().manual_seed(0)
    upscale = build(lambda: Upscale(8, 8, ratio=ratio), generator, Drawing(even=True))
    with torch.no_grad():
        made = upscale(torch.rand(1, 8, 5, 5, generator=generator))
    first = made[..., ::ratio, ::ratio].repeat_interleave(ratio, 2).repeat_interleave(ratio, 3)
    torch.testing.assert_close(made, first)
    assert float(made.std()) > 0.1
    plain = build(lambda: SameConv(8, 8, 3), torch.Generator().manual_seed(0), Drawing(even=True))
    assert not bool(torch.equal(plain.weight[0], plain.weight[1]))


@pytest.mark.parametrize(("kernel", "inputs"), [(3, 64), (5, 8), (1, 6)])
def test_convolution_aware_kernels_have_the_published_variance(kernel: int, inputs: int) -> None:
    conv = build(
        lambda: SameConv(inputs, 128, kernel),
        torch.Generator().manual_seed(0),
        Drawing(aware=True),
    )
    seen = conv.weight.detach()
    assert float(seen.var(correction=0)) == pytest.approx(2 / (inputs * kernel**2), rel=1e-3)
    if (kernel, inputs) == (3, 64):
        assert 2 / (inputs * kernel**2) == pytest.approx(0.0034722, rel=1e-4)
    other = build(
        lambda: SameConv(inputs, 128, kernel),
        torch.Generator().manual_seed(1),
        Drawing(aware=True),
    )
    assert not seen.equal(other.weight.detach())


def test_spectra_of_a_convolution_aware_kernel_are_nearly_orthogonal() -> None:
    conv = build(lambda: SameConv(6, 32, 3), torch.Generator().manual_seed(0), Drawing(aware=True))
    plain = build(lambda: SameConv(6, 32, 3), torch.Generator().manual_seed(0))

    def overlap(layer: SameConv) -> float:
        """How alike the kernels of one output are, 0..1."""
        rows = nnf.normalize(layer.weight.detach().flatten(2), dim=2)  # (32, 6, 9)
        products = (rows @ rows.mT).abs()
        return float((products.sum() - 32 * 6) / (32 * 30))

    assert overlap(conv) < 0.9 * overlap(plain)
