import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 4), nn.LogSoftmax(dim=1))
    return model, (torch.randn(16, 8), torch.arange(16) % 4), nn.NLLLoss()
