import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.3)  # registered before the norm, run after it
        self.first = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.idle = nn.Dropout(0.0)
        self.last = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.norm(self.first(self.idle(x))).relu()))


def build() -> object:
    return Net(), torch.randn(32, 8)
