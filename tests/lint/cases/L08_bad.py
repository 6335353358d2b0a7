import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.much = nn.Dropout(0.7)  # L08 warning
        self.b = nn.Linear(16, 16)
        self.little = nn.Dropout(0.05)  # L08 info
        self.c = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.little(self.b(self.much(self.a(x).relu())).relu())
        return F.dropout(self.c(x), p=0.9)  # L08 warning


def build() -> object:
    return Net(), torch.randn(16, 8)
