import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8))
    return {"model": model, "batch_size": 16, "inputs": (torch.randn(16, 3, 8, 8),)}
