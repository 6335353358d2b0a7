"""Low-rank updates, through `peft`."""

from collections.abc import Sequence

from torch import nn

from luthier.core.errors import OptionError

_LARGE_RANK = 32  # above it the scale is alpha / sqrt(rank) (arXiv:2312.03732)


def inject(
    model: nn.Module,
    head: str,
    rank: int,
    alpha: int,
    dropout: float,
    targets: Sequence[str] | None,
) -> tuple[nn.Parameter, ...]:
    """Put updates beside the weights of the targets, in place; returns the updates' parameters.

    Targets: names of modules, by default all linear layers but the head, and where there is none
    all convolutions.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise OptionError("LoRA needs the package peft; pip install 'luthier[peft]'.") from error
    names = list(targets) if targets is not None else _targets(model, head)
    if not names:
        raise OptionError(f"{type(model).__name__} has no layer for LoRA beside its head.")
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names,
                        use_rslora=rank > _LARGE_RANK)  # fmt: skip
    before = {id(p) for p in model.parameters()}
    inject_adapter_in_model(config, model)
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            # torch's fused path for evaluation reads the weights past the updates
            module.activation_relu_or_gelu = 0
    return tuple(p for p in model.parameters() if id(p) not in before)


def _targets(model: nn.Module, head: str) -> list[str]:
    inside_attention = [
        name for name, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)
    ]  # torch's own reads the weights of its layers itself, past any update
    for kind in (nn.Linear, nn.modules.conv._ConvNd):
        found = [
            name
            for name, module in model.named_modules()
            if isinstance(module, kind)
            and not f"{name}.".startswith(f"{head}.")
            and not any(name.startswith(f"{other}.") for other in inside_attention)
        ]
        if found:
            return found
    return []
