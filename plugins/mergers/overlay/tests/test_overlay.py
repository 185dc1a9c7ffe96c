import numpy as np
import pytest
from mien.stages import BlendPair, NoOptions
from mien_blend_overlay import create, mien_blends


@pytest.fixture
def pair():
    rng = np.random.default_rng(1)
    shape = (5, 7)
    return BlendPair(
        plate=rng.random((*shape, 3), dtype=np.float32),
        swap=rng.random((*shape, 3), dtype=np.float32),
        alpha=rng.random((*shape, 1), dtype=np.float32),
    )


def test_the_answer_is_the_swap_under_its_own_mask(pair):
    (only,) = create(NoOptions(), None)([pair])
    assert only.image is pair.swap
    assert only.alpha is pair.alpha


def test_every_pair_gets_its_answer_in_order(pair):
    other = BlendPair(plate=pair.plate, swap=1 - pair.swap, alpha=pair.alpha)
    first, second = create(NoOptions(), None)([pair, other])
    assert first.image is pair.swap
    assert second.image is other.swap


def test_the_card_names_the_plugin():
    (card,) = mien_blends()
    assert (card.kind, card.name) == ("blend", "overlay")
