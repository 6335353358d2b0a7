import torch
from torch import nn
from torch.nn import functional as F


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.Dropout(0.3)
        self.cell = nn.GRUCell(8, 16)
        self.outputs = nn.Dropout(0.3)
        self.stacked = nn.LSTM(16, 16, num_layers=2, dropout=0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(x.shape[1], 16)
        mask = F.dropout(torch.ones_like(h), 0.3, self.training)  # one mask for all steps
        seen = []
        for step in x:
            h = self.cell(self.inputs(step), h * mask)
            seen.append(self.outputs(h))
        return self.stacked(torch.stack(seen))[0]


def build() -> object:
    return {"model": Reader(), "inputs": (torch.randn(6, 4, 8),)}
