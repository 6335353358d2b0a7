from torch import nn


def build() -> object:
    return nn.Sequential(nn.ConvTranspose2d(3, 8, 4, stride=2), nn.ConvTranspose2d(8, 8, 3))
