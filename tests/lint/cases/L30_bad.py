import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters())  # L30 error
    model[2] = nn.Linear(8, 10)
    return {"model": model, "optimizer": optimizer, "batch": torch.randn(4, 8)}
