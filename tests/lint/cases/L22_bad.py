import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    batch = torch.randn(16, 8), torch.arange(16) % 5
    loss = nn.CrossEntropyLoss()  # L22 error
    return {"model": model, "batch": batch, "loss": loss}
