import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build() -> object:
    data = TensorDataset(torch.randn(220, 8), (torch.arange(220) % 22 == 0).long())
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 21.0]))
    loader = DataLoader(data, batch_size=20, shuffle=True)
    return {"model": nn.Linear(8, 2), "loader": loader, "loss": loss}
