import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Linear(8, 8)
        nn.init.zeros_(self.branch.weight)  # starts as the identity
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 4)
        self.branch.gain = nn.Parameter(torch.ones(8, 1))  # equal on purpose

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(x + self.branch(x)))


def build() -> object:
    return Residual(), torch.randn(16, 8)
