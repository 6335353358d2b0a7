import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build() -> object:
    model = nn.Linear(8, 4)
    loader = DataLoader(TensorDataset(torch.randn(320, 8)), batch_size=32, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=200)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    return {"model": model, "loader": loader, "scheduler": [schedule, cosine], "epochs": 20}
