import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.randn(8)  # seeded apart in every worker


def build() -> object:
    loader = DataLoader(Noisy(), batch_size=4, shuffle=True, num_workers=2)
    return {"model": nn.Linear(8, 4), "loader": loader}
