from torch import nn


def build() -> object:
    return nn.LSTM(8, 16, num_layers=2, dropout=0.3)
