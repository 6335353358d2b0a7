import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 4))
    model.load_state_dict(model.state_dict())
    groups = [
        {"params": model[:3].parameters(), "lr": 2e-5},
        {"params": model[3].parameters(), "lr": 1e-3},  # the head is new
    ]
    return {"model": model, "optimizer": torch.optim.AdamW(groups)}
