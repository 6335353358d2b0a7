import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4))
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.05},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return {"model": model, "optimizer": torch.optim.AdamW(groups)}
