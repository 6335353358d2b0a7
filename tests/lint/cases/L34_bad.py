import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    optimizer = torch.optim.AdamW(model.parameters())  # L34 error
    model = nn.Linear(8, 4)
    return {"model": model, "optimizer": optimizer}
