import torch
from torch import nn


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3)  # L04

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x)) + x[:, :, 1:-1, 1:-1]


def build() -> object:
    return Block(), torch.randn(4, 8, 16, 16)
