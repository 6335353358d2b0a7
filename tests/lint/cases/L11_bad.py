import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),  # L11 warning
    )
    return {"model": model, "batch_size": 2, "inputs": (torch.randn(2, 3, 8, 8),)}
