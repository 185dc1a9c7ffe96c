"""Which anchor answers for which face, and the loss that follows.

Source of the loss: RetinaFace as the public Pytorch_Retinaface trains it: anchors that overlap a
face by 0.35 or more, box and points as offsets with variances 0.1 and 0.2, seven hard negatives
for each positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mien.geometry.boxes import iou
from mien_retinaface.decode import CENTRE_VARIANCE, SIZE_VARIANCE
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .detector_scenes import Scene

Array = NDArray[np.float32]

MATCHES, MAY_MATCH = 0.35, 0.30
# A face that no anchor fits this well is too small for the net: nothing counts there.
BEST_AT_LEAST = 0.20
NEGATIVES, FEWEST_NEGATIVES = 7, 48


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """What the net should say of a batch.

    labels  (N, K): 1 a face, 0 none, -1 does not count
    boxes   (P, 4) and points (P, 10): offsets of the P anchors whose label is 1, in their order
    weights (P,): how much each of them counts, 1 in the mean
    """

    labels: Tensor
    boxes: Tensor
    points: Tensor
    weights: Tensor


def make_targets(scenes: Sequence[Scene], priors: Array) -> Targets:
    """Targets of a batch of scenes of one size; priors (K, 4) as parts of the picture."""
    height, width = scenes[0].image.shape[:2]
    anchors = priors * np.array([width, height, width, height], np.float32)
    low, high = anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2
    corners = np.concatenate([low, high], axis=1)
    labels, boxes, points, weights = [], [], [], []
    for scene in scenes:
        label, owner = _assign(scene, corners)
        which = np.flatnonzero(label == 1)
        labels.append(label)
        if len(which):
            own = anchors[which]
            # A large face has fifty anchors and a small one two: alone they would be forgotten.
            _, place, count = np.unique(owner[which], return_inverse=True, return_counts=True)
            weights.append((1 / np.sqrt(count[place])).astype(np.float32))
            boxes.append(encode_boxes(np.stack(scene.boxes)[owner[which]], own))
            marks = np.stack(scene.points)[owner[which]]
            points.append(
                ((marks - own[:, None, :2]) / (CENTRE_VARIANCE * own[:, None, 2:])).reshape(-1, 10)
            )
    return Targets(
        labels=torch.from_numpy(np.stack(labels)),
        boxes=torch.from_numpy(_rows(boxes, 4)),
        points=torch.from_numpy(_rows(points, 10)),
        weights=torch.from_numpy(_weights(weights)),
    )


def encode_boxes(boxes: Array, anchors: Array) -> Array:
    """(n, 4) offsets that decoding turns back into `boxes`; anchors as centre and size."""
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 - anchors[:, :2]) / (
        CENTRE_VARIANCE * anchors[:, 2:]
    )
    size = np.log((boxes[:, 2:] - boxes[:, :2]) / anchors[:, 2:]) / SIZE_VARIANCE
    return np.concatenate([centre, size], axis=1).astype(np.float32)


def _assign(scene: Scene, corners: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of every anchor: its label, and the face that it answers for."""
    label = np.zeros(len(corners), np.int64)
    owner = np.zeros(len(corners), np.int64)
    neutral = list(scene.ignore)
    if scene.boxes:
        faces = np.stack(scene.boxes)
        shared = iou(corners, faces)
        best_of_face = shared.argmax(axis=0)
        fits = shared[best_of_face, np.arange(len(faces))] >= BEST_AT_LEAST
        neutral += [face for face, fit in zip(faces, fits, strict=True) if not fit]
        owner = shared.argmax(axis=1)
        most = shared.max(axis=1)
        label[most >= MAY_MATCH] = -1
        label[most >= MATCHES] = 1
        owner[best_of_face[fits]] = np.flatnonzero(fits)
        label[best_of_face[fits]] = 1
    if neutral:
        label[(label == 0) & _touches(corners, np.stack(neutral))] = -1
    return label, owner


def _touches(corners: Array, boxes: Array) -> NDArray[np.bool_]:
    """Whether an anchor lies by a third or more in one of the boxes, or overlaps it by a third."""
    low = np.maximum(corners[:, None, :2], boxes[None, :, :2])
    high = np.minimum(corners[:, None, 2:], boxes[None, :, 2:])
    inside = np.prod(np.maximum(high - low, 0), axis=2)
    own = np.prod(corners[:, 2:] - corners[:, :2], axis=1)[:, None]
    theirs = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[None]
    near = (inside > 0.33 * own) | (inside > 0.33 * (own + theirs - inside))
    return np.asarray(near.any(axis=1))


def _rows(parts: list[Array], width: int) -> Array:
    return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)


def _weights(parts: list[Array]) -> Array:
    joined = np.concatenate(parts) if parts else np.zeros(0)
    return np.asarray(joined / max(joined.mean(), 1e-6) if len(joined) else joined, np.float32)


def losses(
    boxes: Tensor, logits: Tensor, points: Tensor, targets: Targets
) -> tuple[Tensor, Tensor, Tensor]:
    """Box, class and point loss per positive anchor; logits are those before the soft-max."""
    positive = targets.labels == 1
    count = max(int(positive.sum()), 1)
    box = functional.smooth_l1_loss(boxes[positive], targets.boxes, reduction="none").sum(dim=1)
    point = functional.smooth_l1_loss(points[positive], targets.points, reduction="none").sum(dim=1)
    wrong = functional.cross_entropy(
        logits.flatten(0, 1), positive.flatten().long(), reduction="none"
    )
    negative = wrong[(targets.labels == 0).flatten()]
    asked = min(max(NEGATIVES * count, FEWEST_NEGATIVES * len(targets.labels)), negative.numel())
    hard = negative.topk(asked).values
    missed = (wrong[positive.flatten()] * targets.weights).sum()
    return (
        (box * targets.weights).sum() / count,
        (missed + hard.sum()) / count,
        (point * targets.weights).sum() / count,
    )
