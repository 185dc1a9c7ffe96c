"""How a job finds faces: the steps from the run's plugins and its ``[find]`` table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, InputError
from ..finding.line import find_faces, follow_faces
from ..finding.options import FindOptions
from ..finding.tracks import Recall
from ..runner import Step
from ..runner import run as run_steps
from ..stages import AlignerProvider, DetectorProvider, EmbedderProvider, Provider
from ..types import Packet
from .run import Run, frame_number

if TYPE_CHECKING:
    from ..arrays import Vector


def finders(run: Run) -> list[Provider]:
    """The plugins that take part in finding: detectors, aligner, embedder."""
    found: list[Provider] = [*run.providers(DetectorProvider), run.provider(AlignerProvider)]
    return [*found, *run.providers(EmbedderProvider)]


def find_steps(run: Run, recall: Recall | None = None) -> list[Step]:
    """Frames into packets of aligned, tracked faces.

    recall  what an earlier run knows of the first frames
    Raises ConfigError where people are named and no embedder is chosen that could tell them apart.
    """
    options = run.config.section("find", FindOptions)
    embedders = run.providers(EmbedderProvider)
    if (options.keep or options.drop) and not embedders:
        named = "keep" if options.keep else "drop"
        raise ConfigError(
            f"find.{named}: telling people apart needs an embedder, and none is chosen; "
            "choose one with --embedder NAME ('mien plugins' lists those that are installed)"
        )
    return [
        *find_faces(
            [run.make(detector) for detector in run.providers(DetectorProvider)],
            run.make(run.provider(AlignerProvider)),
            options,
            run.context.rng,
            embedder=run.make(embedders[0]) if embedders else None,
            keep=people_on(run, options, options.keep),
            drop=people_on(run, options, options.drop, everyone=True),
        ),
        *follow_faces(options, recall),
    ]


def people_on(
    run: Run,
    options: FindOptions,
    paths: Sequence[Path],
    *,
    everyone: bool = False,
    embedder: EmbedderProvider | None = None,
) -> list[Vector]:
    """The identities of the people on pictures or in folders of pictures.

    everyone  all faces of a picture count; otherwise a picture must show one face
    embedder  who tells them apart, where it is not the one that was chosen
    """
    people: list[Vector] = []
    for path in paths:
        steps = find_faces(
            [run.make(detector) for detector in run.providers(DetectorProvider)],
            run.make(run.provider(AlignerProvider)),
            options,
            run.context.rng,
            embedder=run.make(embedder or run.provider(EmbedderProvider)),
        )
        packets: list[Packet] = []
        with run.source(str(path)) as source:
            run_steps(
                source.frames(0, None, 1),
                steps,
                packets.append,
                index_of=frame_number,
                size_of=lambda item: item.nbytes,
                cancel=run.cancel,
            )
        found = [
            face.identity
            for packet in packets
            if everyone or len(packet.faces) == 1
            for face in packet.faces
            if face.identity is not None
        ]
        if not found:
            count = "a face" if everyone else "one single face"
            raise InputError(f"{path}: no picture here shows {count}, so nobody can be known by it")
        people += found
    return people
