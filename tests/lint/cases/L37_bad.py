import torch
from torch import nn
from torch.nn import functional as F


def validate(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    model.eval()  # L37
    with torch.no_grad():
        return model(x)


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters())
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        validate(model, x)
