"""A batch of noise for a model that came without one, from the shape of its first layer."""

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from luthier.analysis.subject import Inputs

_N_EXAMPLES = 4
_IMAGE_SIZES = (32, 28, 64, 96, 128, 224, 299)
_LENGTHS = (64, 16, 256, 1024, 16_000)
_LENGTH = 16  # of a sequence


def guessed_inputs(model: Any) -> Inputs | None:  # noqa: ANN401  a copy that may be run
    """The first guess that the model accepts, None when it takes several inputs or refuses all."""
    required = [
        p
        for p in inspect.signature(model.forward).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(required) > 1 or isinstance(model, nn.ModuleList | nn.ModuleDict):
        return None
    model.eval()
    for tensor in _guesses(model):
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model(tensor)
        except Exception:  # it was a guess
            continue
        return (tensor,), {}
    return None


def _guesses(model: Any) -> Iterator[Any]:  # noqa: ANN401
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Any:  # noqa: ANN401
        return torch.randn(_N_EXAMPLES, *shape, generator=generator)

    for module in model.modules():
        if isinstance(module, nn.Embedding):
            yield torch.randint(
                0, module.num_embeddings, (_N_EXAMPLES, _LENGTH), generator=generator
            )
            return
        if isinstance(module, _ConvNd):
            n_dims = len(module.kernel_size)
            for size in _LENGTHS if n_dims == 1 else _IMAGE_SIZES[: 2 if n_dims == 3 else None]:
                yield noise(module.in_channels, *(size,) * n_dims)
            return
        if isinstance(module, nn.Linear):
            yield noise(module.in_features)
            yield noise(_LENGTH, module.in_features)
            return
        if isinstance(module, nn.RNNBase):
            yield noise(_LENGTH, module.input_size)
            return
        if isinstance(module, nn.RNNCellBase):
            yield noise(module.input_size)
            yield noise(_LENGTH, module.input_size)
            return
