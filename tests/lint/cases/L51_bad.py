import torch
from torch import nn
from torch.utils.data import DataLoader


def train(model: nn.Module, loader: DataLoader[torch.Tensor]) -> None:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(3):
        scheduler.step()  # L51
        for x in loader:
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()
    plateau_schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    for x in loader:
        optimizer.zero_grad()
        model(x).sum().backward()
        scheduler.step()  # L51
        optimizer.step()
    for x in loader:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        plateau_schedule.step()  # L51

    other = torch.optim.AdamW(model.parameters())
    falling = torch.optim.lr_scheduler.StepLR(other, 3)
    for _ in range(3):
        for x in loader:
            other.zero_grad()
            model(x).sum().backward()
            falling.step()  # L51
            other.step()
