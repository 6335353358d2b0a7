from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten())
    model[1].requires_grad_(False).eval()
    return model
