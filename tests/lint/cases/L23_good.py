import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    one = torch.optim.Adam(model.parameters(), lr=1e-3)
    other = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    return {"model": model, "optimizer": [one, other]}
