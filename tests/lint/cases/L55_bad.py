import torch
from torch import nn


def build() -> object:  # L55
    return nn.Conv2d(3, 8, 3), torch.rand(4, 3, 16, 16) * 255
