import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.drop = nn.Dropout(0.3)  # L05 error
        self.norm = nn.BatchNorm1d(16)
        self.indirect = nn.Dropout(0.3)  # L05 warning
        self.second = nn.Linear(16, 16)
        self.norm2 = nn.BatchNorm1d(16)
        self.conv = nn.Conv1d(16, 16, 3, padding=1)
        self.norm3 = nn.BatchNorm1d(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.drop(self.first(x)).relu())
        if float(x.sum()) > -1e9:  # control flow that depends on the data
            x = self.norm2(self.second(self.indirect(x)))
        x = F.dropout(x, 0.5, self.training)  # L05 warning
        return self.norm3(self.conv(x.unsqueeze(-1)))


def build() -> object:
    return Net(), torch.randn(32, 8)
