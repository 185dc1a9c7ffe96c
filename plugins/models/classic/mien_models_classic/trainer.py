"""Teaches the two people to one net."""

from __future__ import annotations

from mien.stages import Context
from mien.training.learning.people import PeopleTrainer
from mien.training.learning.people_options import PeopleOptions

from .config import config_of
from .net import make_net


def make_trainer(name: str, options: PeopleOptions, context: Context) -> PeopleTrainer:
    """A fresh model, ready to learn.  Raises ConfigError where its options do not go together."""
    config = config_of(options)
    return PeopleTrainer(
        name,
        lambda: make_net(name, config),
        config,
        options=options,
        context=context,
        size=config.size,
        seen=config.seen,
        sizes=config.sizes,
    )
