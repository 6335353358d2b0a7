import torch
from torch import nn
from torch.nn import functional as F


def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:  # L25
    centre = (output - output.mean(0)).pow(2).sum() * 1e-6
    return F.cross_entropy(output, target) + centre


def build() -> object:
    model = nn.Linear(8, 4)
    return {"model": model, "batch": (torch.randn(16, 8), torch.arange(16) % 4), "loss": loss}
