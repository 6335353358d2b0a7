import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 4, padding=2)  # L01
        self.one = nn.Conv1d(8, 8, 2)  # L01

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.conv2d(self.body(x), torch.ones(8, 1, 2, 2), groups=8)  # L01
        return self.one(x.flatten(2))


def build() -> object:  # without a batch: noise of a fitting shape is tried
    return Net()
