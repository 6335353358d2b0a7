import torch
from torch import nn
from torch.nn import functional as F


def loss(output: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    centre = (output - output.mean(0)).pow(2).mean()
    return {"cross entropy": F.cross_entropy(output, target), "centre": 0.5 * centre}


def build() -> object:
    model = nn.Linear(8, 4)
    return {"model": model, "batch": (torch.randn(16, 8), torch.arange(16) % 4), "loss": loss}
