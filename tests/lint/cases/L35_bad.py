import torch
from torch import nn


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.out = nn.Linear(8, 50, bias=False)  # L35

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.embed(x))


def build() -> object:
    model = Words()
    model.out.weight = model.embed.weight
    model.load_state_dict(model.state_dict(), assign=True)
    model.out.weight = nn.Parameter(model.embed.weight.detach().clone())
    return model, torch.arange(12).view(2, 6)
