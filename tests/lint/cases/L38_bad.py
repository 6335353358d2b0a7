from torch import nn


def build() -> object:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),  # L38
        nn.Flatten(),
    )
    return model.requires_grad_(False)
