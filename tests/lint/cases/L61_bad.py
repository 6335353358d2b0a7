import torch
from torch import nn


def build() -> object:
    return nn.Sequential(
        nn.MaxPool2d(8),
        nn.Conv2d(3, 8, 7, padding=3),  # L61
    ), torch.randn(4, 3, 32, 32)
