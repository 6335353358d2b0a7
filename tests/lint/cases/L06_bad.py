import torch
from torch import nn
from torch.nn import functional as F


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(8, 16)
        self.drop = nn.Dropout(0.3)  # L06

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(x.shape[1], 16)
        for step in x:
            h = self.drop(self.cell(step, h))
        return h


class ByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.x, self.h = nn.Linear(8, 16), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(x.shape[1], 16)
        for step in x:
            h = torch.tanh(self.x(step) + self.h(F.dropout(h, 0.3)))  # L06
        return h


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = Reader(), ByHand()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.one(x) + self.other(x)


def build() -> object:
    return {"model": Both(), "inputs": (torch.randn(6, 4, 8),)}
