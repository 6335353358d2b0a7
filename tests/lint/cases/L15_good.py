import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 8)
        self.out = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(x * self.gate(x).softmax(1))


def build() -> object:
    return Net(), (torch.randn(16, 8), torch.arange(16) % 4), nn.CrossEntropyLoss()
