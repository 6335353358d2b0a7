import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=1e-4)  # L27
    return {"model": model, "optimizer": optimizer}
