import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build() -> object:
    data = TensorDataset(torch.randn(33, 8), torch.arange(33) % 2)
    loader = DataLoader(data, batch_size=16, shuffle=True, drop_last=True)
    return {"model": nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)), "loader": loader}
