import torch
from torch import nn


def train(model: nn.Module, x: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    model(x).sum().backward()  # L64
    optimizer.step()
