import torch
from torch import nn
from torch.utils.data import DataLoader


def train(model: nn.Module, loader: DataLoader[torch.Tensor]) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    falling = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for x in loader:
        falling.step(0)
        model(x).sum().backward()
        optimizer.step()  # L52 error
