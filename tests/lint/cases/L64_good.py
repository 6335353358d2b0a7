import torch
from torch import nn


def train(model: nn.Module, x: torch.Tensor) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()
