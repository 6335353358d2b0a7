"""Which family a network belongs to, seen from its modules."""

from collections import Counter
from typing import Any

from luthier.core.errors import OptionError

# A network may hold several kinds of layers; what decides is the first that is there.
_BY_CLASS = (
    ("lora", "LoraLayer"),
    ("transformer", "MultiheadAttention"),
    ("transformer", "TransformerEncoderLayer"),
    ("rnn", "RNNBase"),
    ("rnn", "RNNCellBase"),
)


def classes(model: Any) -> Counter[str]:  # noqa: ANN401  torch.nn.Module: torch is not imported here
    """How many modules are, or descend from, each class."""
    if not hasattr(model, "modules"):
        raise OptionError(f"model={type(model).__name__}; expected a torch.nn.Module.")
    return Counter(kind.__name__ for module in model.modules() for kind in type(module).__mro__)


def family_of(model: Any) -> str:  # noqa: ANN401
    """mlp, cnn, rnn, transformer or lora: a guess, for `family=` to overrule."""
    found = classes(model)
    for family, name in _BY_CLASS:
        if found[name]:
            return family
    # attention written by hand: a class of that name among more linear layers than convolutions
    if found["Linear"] > found["_ConvNd"] and any("attention" in name.lower() for name in found):
        return "transformer"
    return "cnn" if found["_ConvNd"] else "mlp"
