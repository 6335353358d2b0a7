import torch
from torch import nn


def save(model: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    torch.save({"model": model.state_dict(), "epoch": epoch}, "last.pt")  # L65 warning
