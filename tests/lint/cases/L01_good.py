import torch
from torch import nn


def build() -> object:
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4),  # a patch stem: kernel == stride
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1),
        nn.Flatten(2),
        nn.Conv1d(8, 8, 4, padding=3),  # causal
    ), torch.randn(4, 3, 32, 32)
