import torch
from torch import nn
from torch.nn import functional as F


def train(x: torch.Tensor, y: torch.Tensor) -> float:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.2))
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())
