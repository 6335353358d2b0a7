import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    one = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    other = torch.optim.Adam(model.parameters())
    return {"model": model, "optimizer": [one, other]}
