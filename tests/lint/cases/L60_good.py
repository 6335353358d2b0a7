import torch
from torch import nn


def build() -> object:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
    model = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
    optimizer = torch.optim.AdamW(model.parameters())
    return {"model": model, "batch": torch.randn(4, 6, 16), "optimizer": optimizer}
