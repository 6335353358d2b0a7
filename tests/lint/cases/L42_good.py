import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build() -> object:
    data = TensorDataset(torch.randn(4096, 2), torch.arange(4096) % 4)
    return {"model": nn.Linear(2, 4), "loader": DataLoader(data, batch_size=128, shuffle=True)}
