import torch
from torch import nn


def build() -> object:
    return nn.Sequential(
        nn.Linear(32, 4), nn.Linear(4, 32), nn.ReLU(),  # a bottleneck
        nn.Unflatten(1, (8, 2, 2)), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 16, 1),
    ), torch.randn(16, 32)  # fmt: skip
