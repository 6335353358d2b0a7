import warnings

import torch
from torch import nn


def build() -> object:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns too
        optimizer = torch.optim.AdamW([*model.parameters(), *model[1].parameters()])  # L32 error
    return {"model": model, "optimizer": optimizer}
