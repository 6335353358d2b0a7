import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    model[2] = nn.Linear(8, 10)
    model[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    return {"model": model, "optimizer": optimizer, "batch": torch.randn(4, 8)}
