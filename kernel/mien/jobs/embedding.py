"""The embedder of a run, for facesets: who is on pictures that carry their landmarks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..arrays import unit_vector
from ..curation import Embedder
from ..curation.measure import crop_of
from ..curation.people import Identities
from ..errors import InputError, PluginError
from ..faceset import read_face
from ..finding.options import FindOptions
from ..stages import EmbedderProvider
from .find import people_on
from .run import Run


def embedder_of(run: Run) -> EmbedderProvider:
    """The embedder that was chosen, or the first that is installed.  Raises PluginError."""
    chosen = run.providers(EmbedderProvider)
    if chosen:
        return chosen[0]
    installed = run.registry.names(EmbedderProvider.kind)
    if not installed:
        raise PluginError(
            "telling people apart needs an embedder, and none is installed; install a plugin that "
            "brings one ('mien plugins list' shows what is there)"
        )
    return run.registry.get(EmbedderProvider, installed[0])


def make_embedder(run: Run) -> Embedder:
    """The embedder, with all that its vectors depend on as its name."""
    provider = embedder_of(run)
    facts = {
        "plugin": provider.name,
        "version": run.registry.entry(provider.kind, provider.name).version,
        "options": asdict(run.config.options(provider)),
        "weights": {file.name: file.sha256 for file in provider.weights},
    }
    return Embedder(json.dumps(facts, default=str), run.make(provider))


def identity_of_picture(run: Run, path: Path) -> Identities:
    """Who is on one picture: a stored face, or any photograph of one person.  # (1, D)

    Raises InputError where nobody is.
    """
    try:
        image, record = read_face(path)
    except InputError:
        return identities_of_photographs(run, path)
    stage = make_embedder(run).stage
    crop = crop_of(image, record, stage.spec)
    if crop is None:
        raise InputError(f"face '{path}': its landmarks fit no head, so nobody can be known by it")
    stage.open()
    try:
        (vector,) = stage([crop])
    finally:
        stage.close()
    return unit_vector(vector)[None]


def identities_of_photographs(run: Run, place: Path) -> Identities:
    """Who is on a photograph, or on those of a folder, each of one person.  # (N, D)"""
    options = run.config.section("find", FindOptions)
    return np.stack(people_on(run, options, [place], embedder=embedder_of(run)))
