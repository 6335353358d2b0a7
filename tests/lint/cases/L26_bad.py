import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    one = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.01)  # L26 warning
    other = torch.optim.AdamW(model.parameters(), weight_decay=1.0)  # L26 warning
    some = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=2e-4)  # L26 info
    return {"model": model, "optimizer": [one, other, some]}
