import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 4))
    groups = [{"params": layer.parameters(), "lr": 1e-3 * 0.5 ** (3 - n)}
              for n, layer in enumerate(model) if n != 1]  # fmt: skip
    return {"model": model, "optimizer": torch.optim.AdamW(groups)}
