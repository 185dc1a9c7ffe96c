"""Teaches the two people to one net."""

from __future__ import annotations

from mien.stages import Context
from mien.training.learning.people import PeopleTrainer

from . import Options
from .config import config_of
from .net import make_net


def make_trainer(options: Options, context: Context) -> PeopleTrainer:
    """A fresh model, ready to learn.  Raises ConfigError where a face is too small for a loss."""
    config = config_of(options)
    return PeopleTrainer(
        "dfaker",
        lambda: make_net(config),
        config,
        options=options,
        context=context,
        size=config.size,
        seen=config.seen,
    )
