import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build() -> object:
    loader = DataLoader(TensorDataset(torch.randn(64, 8)), batch_size=4, shuffle=True)
    return {"model": nn.Linear(8, 4), "loader": loader}
