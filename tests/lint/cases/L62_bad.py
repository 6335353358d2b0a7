import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build() -> object:
    x, y = torch.randn(120, 16), torch.arange(120) % 4
    train = DataLoader(TensorDataset(x[:100], y[:100]), batch_size=10, shuffle=True)
    val = DataLoader(TensorDataset(x[90:], y[90:]), batch_size=10)  # L62 error
    return {"model": nn.Linear(16, 4), "loader": train, "val_loader": val}
