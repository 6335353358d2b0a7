import functools

import torch
from torch import nn
from torch.nn import functional as F


def focal_loss(output: torch.Tensor, target: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    bce = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return ((1 - torch.exp(-bce)) ** gamma * bce).mean()


def build() -> object:
    head = nn.Linear(8, 4)  # L45
    return {"model": nn.Sequential(head), "loss": functools.partial(focal_loss, gamma=2.0)}
