import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)  # L23 warning
    slow = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)  # L23 warning
    return {"model": model, "optimizer": [optimizer, slow]}
