import torch
from torch import nn


def build() -> object:
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, padding=3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 13, padding=6, groups=8),  # depthwise
        nn.Conv2d(8, 8, (1, 7), padding=(0, 3)),
        nn.Conv2d(8, 8, 16, stride=16),  # patches
    ), torch.randn(4, 3, 32, 32)
