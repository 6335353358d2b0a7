import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.5, 0.999))  # L46
    other = torch.optim.Adam(model.parameters(), eps=0.1)  # L46
    return {"model": model, "optimizer": [optimizer, other]}
