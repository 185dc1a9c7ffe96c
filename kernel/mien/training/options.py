"""The ``[train]`` table of the configuration: what the loop may be told, whatever the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import option
from .options_show import ShowOptions

Choice = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions(ShowOptions):
    """How long to learn, how, and what to keep."""

    iterations: int = option(
        100_000, "Train until the model has this many iterations; 0 for no end", ge=0
    )
    minutes: float = option(0.0, "Stop after this time; 0 for no limit", unit="minutes", ge=0)
    batch_size: int = option(
        16,
        "Faces of each person in one iteration; 0 takes the most that fit into the GPU's memory",
        ge=0,
        le=1024,
    )
    accumulate: int = option(
        1, "Batches whose gradients make one step: large batches in little memory", ge=1, le=1024
    )
    plan: str = option(
        "", "File of a schedule that runs by itself: stages with their options and their ends"
    )
    pretrain: str = option(
        "",
        "Faceset of many people to learn faces in general from, instead of source and target; "
        "without it the model then begins with the two people",
    )

    save_every: int = option(
        250, "Save after this many iterations; 0 to save by time only", unit="iterations", ge=0
    )
    save_minutes: float = option(
        10.0, "Save at least this often; 0 to save by iterations only", unit="minutes", ge=0
    )
    keep: int = option(2, "Saved generations to keep; older ones go", ge=1)
    snapshot_every: int = option(
        0, "Keep a generation for good after this many iterations; 0 for none", ge=0
    )
    snapshot_hours: float = option(
        0.0, "Keep a generation for good after this time; 0 for none", unit="hours", ge=0
    )
    snapshots: int = option(24, "Generations that are kept for good; older ones go", ge=1)
    recover: int = option(
        3,
        "How often a training that lost its way goes back to the last good generation, each time "
        "with half the rate; 0 ends it at once",
        ge=0,
        le=20,
    )

    rate: float = option(1.0, "Multiplies the model's learning rate", gt=0, le=100)
    warm_up: int = option(0, "Iterations in which the rate rises from nothing", ge=0)
    schedule: Literal["constant", "cosine"] = option(
        "constant", "Course of the rate; cosine lowers it to a hundredth until the last iteration"
    )
    find_rate: int = option(
        0,
        "Before anything else try rising rates for so many iterations, and learn with the best; "
        "1000 is enough",
        ge=0,
        le=100_000,
    )
    clip: float = option(
        0.0, "Largest gradient, measured as clip_by says; 0 leaves it to the model", ge=0
    )
    clip_by: Literal["norm", "weight", "value", "auto"] = option(
        "norm",
        "What clip limits: the norm of all gradients together, that of each weight's, or every "
        "number; with auto it is the percentile of the norms of late, such as 10",
    )
    clip_history: int = option(
        10_000, "Norms of late that clip_by auto remembers", unit="iterations", ge=1, le=100_000
    )
    average: float = option(
        0.0,
        "Keep a running mean of the weights, which swaps better than those of one step; 0.999 "
        "looks back a thousand iterations, 0 is off",
        ge=0,
        le=0.99999,
    )

    begin_with: Path | None = option(
        None,
        "Folder of another model of the same plugin, with whose weights a new one begins, as far "
        "as they fit",
    )
    freeze: tuple[str, ...] = option(
        (), "Parts of the net that stay as they are, such as encoder; more than one with commas"
    )

    deterministic: bool = option(
        False, "Repeat bit for bit on the same machine, where that costs speed"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "auto", "Number format of the nets; auto takes bf16 on a GPU that is good at it"
    )
    channels_last: Choice = option("auto", "Channels beside each other in memory; auto on GPUs")
    compile: Literal["auto", "on", "off", "graphs"] = option(
        "auto",
        "Let torch compile the nets; auto on GPUs; graphs also records them as CUDA graphs, which "
        "helps small nets and takes more memory",
    )
    checkpointing: bool = option(
        False, "Compute parts of the net twice instead of keeping them: half the memory, slower"
    )
    offload: bool = option(
        False, "Keep the optimizer's numbers in the computer's memory instead of the GPU's"
    )
