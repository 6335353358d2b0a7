import torch
from torch import nn


def build() -> object:
    return nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 16), nn.ReLU(),
        nn.Dropout(0.2), nn.Linear(16, 4), nn.Dropout(0.0),
    ), torch.randn(16, 8)  # fmt: skip
