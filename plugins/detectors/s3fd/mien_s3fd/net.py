# ruff: noqa: TID253 - imported only when a net is built
"""S3FD in torch, with the key names of the published checkpoints.

Source: Zhang et al. 2017 (S3FD), in the layout of face-alignment.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Taps: name of the head, channels, and the first weight of its L2 norm where it has one.
TAPS: tuple[tuple[str, int, float | None], ...] = (
    ("conv3_3_norm", 256, 10.0),
    ("conv4_3_norm", 512, 8.0),
    ("conv5_3_norm", 512, 5.0),
    ("fc7", 1024, None),
    ("conv6_2", 512, None),
    ("conv7_2", 256, None),
)


class L2Norm(nn.Module):
    """Divides every position by the length of its feature vector, and weighs the channels."""

    def __init__(self, channels: int, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), weight))

    def forward(self, features: Tensor) -> Tensor:
        """A map of the same size."""
        length = features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10
        return features / length * self.weight[:, None, None]


class S3fd(nn.Module):
    """Faces as offsets from square anchors, one per cell of six maps.

    Takes (N, 3, H, W) BGR 0..255 less (104, 117, 123), sides of 32 or more.  Gives box offsets
    (N, K, 4) and the probability of a face (N, K), over level, row and column.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = 3
        for stage, (count, width) in enumerate(
            ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1
        ):
            for place in range(1, count + 1):
                self.add_module(f"conv{stage}_{place}", nn.Conv2d(inputs, width, 3, 1, 1))
                inputs = width
        self.fc6 = nn.Conv2d(512, 1024, 3, 1, 3)
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.conv6_1 = nn.Conv2d(1024, 256, 1)
        self.conv6_2 = nn.Conv2d(256, 512, 3, 2, 1)
        self.conv7_1 = nn.Conv2d(512, 128, 1)
        self.conv7_2 = nn.Conv2d(128, 256, 3, 2, 1)
        for name, channels, weight in TAPS:
            if weight is not None:
                self.add_module(name, L2Norm(channels, weight))
            classes = 4 if name == "conv3_3_norm" else 2
            self.add_module(f"{name}_mbox_conf", nn.Conv2d(channels, classes, 3, 1, 1))
            self.add_module(f"{name}_mbox_loc", nn.Conv2d(channels, 4, 3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Box offsets and probabilities of every anchor."""
        offsets, scores = [], []
        for classes, moves in self.levels(image):
            offsets.append(moves.flatten(2).transpose(1, 2))
            scores.append(functional.softmax(classes, dim=1)[:, 1].flatten(1))
        return torch.cat(offsets, dim=1), torch.cat(scores, dim=1)

    def levels(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per level classes before the soft-max (N, 2, h, w) and offsets (N, 4, h, w)."""
        found = []
        for (name, _, weight), features in zip(TAPS, self._taps(image), strict=True):
            normed = features if weight is None else self.get_submodule(name)(features)
            classes: Tensor = self.get_submodule(f"{name}_mbox_conf")(normed)
            moves: Tensor = self.get_submodule(f"{name}_mbox_loc")(normed)
            if classes.shape[1] == 4:  # the likeliest of three kinds of background
                background = classes[:, :3].amax(dim=1, keepdim=True)
                classes = torch.cat([background, classes[:, 3:]], dim=1)
            found.append((classes, moves))
        return found

    def _taps(self, image: Tensor) -> list[Tensor]:
        taps, features = [], image
        for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
            for place in range(1, count + 1):
                layer = self.get_submodule(f"conv{stage}_{place}")
                features = functional.relu(layer(features))
            if stage >= 3:
                taps.append(features)
            features = functional.max_pool2d(features, 2)
        for one, two in (
            (self.fc6, self.fc7),
            (self.conv6_1, self.conv6_2),
            (self.conv7_1, self.conv7_2),
        ):
            features = functional.relu(two(functional.relu(one(features))))
            taps.append(features)
        return taps
