import torch
from torch import nn


def build() -> object:
    target = torch.arange(16) % 4
    target[0] = -100  # ignored by the loss
    return nn.Linear(8, 4), (torch.randn(16, 8), target), nn.CrossEntropyLoss()
