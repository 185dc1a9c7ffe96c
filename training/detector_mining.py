"""What the net takes for a face and is none: places in the stock to look at again.

The net is run over the pictures that scenes are made of; boxes on nothing become places that later
scenes are centred on.  Hands, ears and shop windows teach more than chance finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from mien.geometry.boxes import iou, suppress
from mien_retinaface.decode import MinSizes, decode_boxes, make_priors
from mien_retinaface.net import RetinaFace
from mien_retinaface.stage import prepare
from numpy.typing import NDArray

from .detector_stock import Place, Stock, Supply

AT_LEAST, MOST_PER_PICTURE = 0.2, 3
OVERLAP = 0.4
# Portraits and pictures without faces are small; clips are as large as frames that are fed.
SCALES = {"frames": 1.0, "backgrounds": 2.0, "portraits": 1.0}
STEPS = {"frames": 1, "backgrounds": 1, "portraits": 3}


@torch.no_grad()
def mine(net: RetinaFace, supply: Supply, anchors: MinSizes) -> tuple[Place, ...]:
    """False boxes of the net on the stock: where, as (kind, index, box in the picture)."""
    net.eval()
    found: list[Place] = []
    for kind, scale in SCALES.items():
        stocks = getattr(supply, kind)
        for index in range(0, len(stocks), STEPS[kind]):
            boxes = _false_boxes(net, stocks[index], scale, anchors)
            found += [(kind, index, _corners(box)) for box in boxes]
    return tuple(found)


def _false_boxes(
    net: RetinaFace, stock: Stock, scale: float, anchors: MinSizes
) -> Iterator[NDArray[np.float32]]:
    height, width = (round(side * scale) for side in stock.image.shape[:2])
    image = cv2.resize(stock.image, (width, height), interpolation=cv2.INTER_LINEAR)
    fed = torch.from_numpy(prepare(image, (width, height))[None])
    offsets, classes, *_ = (each[0].numpy() for each in net(fed))
    which = np.flatnonzero(classes[:, 1] >= AT_LEAST)
    priors = make_priors(height, width, anchors)
    size = np.array([*stock.image.shape[1::-1]] * 2, np.float32)
    boxes = decode_boxes(offsets[which], priors[which]) * size
    kept = boxes[suppress(boxes, classes[which, 1], OVERLAP)]
    if len(kept) and len(stock.boxes):
        kept = kept[iou(kept, stock.boxes).max(axis=1) < 0.3]
    if len(kept) and len(stock.ignore):
        kept = kept[iou(kept, stock.ignore).max(axis=1) < 0.1]
    yield from kept[:MOST_PER_PICTURE]


def _corners(box: Sequence[float] | NDArray[np.float32]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(each) for each in box)
    return x0, y0, x1, y1
