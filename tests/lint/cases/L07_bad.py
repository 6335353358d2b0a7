import warnings

from torch import nn


def build() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns too
        return nn.LSTM(8, 16, dropout=0.3)  # L07
