import torch
from torch import nn


def build() -> object:
    hidden = nn.Linear(8, 16)  # L58 error
    nn.init.constant_(hidden.weight, 0.1)
    return nn.Sequential(hidden, nn.ReLU(), nn.Linear(16, 4)), torch.randn(16, 8)
