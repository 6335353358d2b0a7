import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.999)  # L47
    return {"model": model, "optimizer": optimizer}
