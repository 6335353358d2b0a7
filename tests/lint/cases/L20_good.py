from torch import nn


def build() -> object:
    return nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=-1))
