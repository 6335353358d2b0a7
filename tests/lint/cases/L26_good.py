import torch
from torch import nn


def build() -> object:
    model = nn.Linear(8, 4)
    one = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=1e-4)
    other = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    return {"model": model, "optimizer": [one, other], "epochs": 30}
