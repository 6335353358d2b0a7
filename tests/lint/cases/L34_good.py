import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    model.load_state_dict(nn.Linear(8, 4).state_dict())  # copies into the same tensors
    return {"model": model, "optimizer": torch.optim.AdamW(model.parameters(), lr=1e-5)}
