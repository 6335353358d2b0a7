import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    return {"model": model, "optimizer": torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95))}
