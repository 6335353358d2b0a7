import torch
from torch import nn


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(x.t().reshape(x.shape))  # meant to be a permutation of the features


def build() -> object:  # L57 error
    return Mixed(), torch.randn(16, 8)
