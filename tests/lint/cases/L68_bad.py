import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Costly(Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> torch.Tensor:
        values = np.sort(np.random.default_rng(index).normal(size=400_000))
        return torch.tensor(values[:8], dtype=torch.float32)


def build() -> object:
    loader = DataLoader(Costly(), batch_size=4, shuffle=True)  # L68
    return {"model": nn.Linear(8, 4), "loader": loader}
