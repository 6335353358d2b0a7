import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)  # L28
    return {"model": model, "optimizer": optimizer}
