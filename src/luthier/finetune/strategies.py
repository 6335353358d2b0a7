"""The ways of fine-tuning (chapter 14.11), each as a plan for any model."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from torch import nn

from luthier.core.domain import Value
from luthier.core.errors import OptionError
from luthier.finetune.blocks import Block, blocks, is_norm
from luthier.finetune.plan import NEVER, Plan, Share

_N_GROUPS = 4  # of discriminative rates: ULMFiT had three to six
_NAMES = {"weight_decay", "freeze_bn"}


def probe(parts: Sequence[Block]) -> list[Share]:
    """Only the head trains."""
    return [_share(b, first_step=NEVER) for b in parts[:-1]] + [_share(parts[-1])]


def full(parts: Sequence[Block], *, head_lr_factor: float = 1.0) -> list[Share]:
    """Everything trains, the head faster if asked for."""
    return [*map(_share, parts[:-1]), _share(parts[-1], head_lr_factor)]


def lp_ft(
    parts: Sequence[Block], *, probe_epochs: int = 2, head_lr_factor: float = 10.0
) -> list[Share]:
    """The head alone for `probe_epochs` steps, then everything (arXiv:2202.10054)."""
    body = [_share(b, first_step=probe_epochs + 1) for b in parts[:-1]]
    return [*body, _share(parts[-1], head_lr_factor)]


def gradual(
    parts: Sequence[Block], *, unfreeze_every: int = 1, head_lr_factor: float = 1.0
) -> list[Share]:
    """From the head down, one more block every `unfreeze_every` steps (arXiv:1801.06146)."""
    last = len(parts) - 1
    body = [_share(b, first_step=1 + (last - n) * unfreeze_every) for n, b in enumerate(parts[:-1])]
    return [*body, _share(parts[-1], head_lr_factor)]


def discriminative(parts: Sequence[Block], *, layer_decay: float = 1 / 2.6) -> list[Share]:
    """Four groups of blocks, each at `layer_decay` of the next one's rate (arXiv:1801.06146)."""
    body, n = parts[:-1], min(_N_GROUPS - 1, len(parts) - 1)
    groups = [body[len(body) * k // n : len(body) * (k + 1) // n] for k in range(n)]
    slowed = [
        _share(b, layer_decay ** (n - k)) for k, group in enumerate(groups) for b in group
    ]  # fmt: skip
    return [*slowed, _share(parts[-1])]


def layerwise(parts: Sequence[Block], *, layer_decay: float = 0.75) -> list[Share]:
    """Every block at `layer_decay` of the next one's rate (arXiv:2111.06377)."""
    last = len(parts) - 1
    return [_share(b, layer_decay ** (last - n)) for n, b in enumerate(parts)]


def surgical(
    parts: Sequence[Block], *, tuned_block: str | int = "last", train_head: bool = True
) -> list[Share]:
    """One third of the blocks, or the block of that number, and the head (arXiv:2210.11466)."""
    body = len(parts) - 1
    if isinstance(tuned_block, int):
        if not 0 <= tuned_block <= body:
            raise OptionError(f"tuned_block={tuned_block}; the model has blocks 0 to {body}.")
        tuned = {tuned_block}
    elif tuned_block in ("first", "middle", "last"):
        third = ("first", "middle", "last").index(tuned_block)
        tuned = {n for n in range(body) if n * 3 // max(body, 1) == third} or {third * body // 3}
    else:
        raise OptionError(f"tuned_block={tuned_block!r}; expected first, middle, last or a number.")
    tuned |= {body} if train_head else set()
    return [_share(b, first_step=1 if n in tuned else NEVER) for n, b in enumerate(parts)]


def bitfit(model: nn.Module, parts: Sequence[Block], *, head_lr_factor: float = 1.0) -> list[Share]:
    """Biases and the head (arXiv:2106.10199)."""
    chosen = {n for n, _ in model.named_parameters() if n.rpartition(".")[2].endswith("bias")}
    return _only(parts, chosen, head_lr_factor, "biases")


def norm(model: nn.Module, parts: Sequence[Block], *, head_lr_factor: float = 1.0) -> list[Share]:
    """Scale and shift of normalization layers, and the head."""
    chosen = {
        f"{name}.{own}" if name else own
        for name, module in model.named_modules()
        if is_norm(module)
        for own, _ in module.named_parameters(recurse=False)
    }
    return _only(parts, chosen, head_lr_factor, "normalization layers")


def lora(
    model: nn.Module,
    parts: Sequence[Block],
    *,
    lora_rank: int = 8,
    lora_alpha: int = 16,
    lora_dropout: float = 0.0,
    lora_targets: Sequence[str] | None = None,
    head_lr_factor: float = 1.0,
) -> list[Share]:
    """Low-rank updates beside frozen weights, made by `peft`, and the head (arXiv:2106.09685)."""
    from luthier.finetune.lora import inject

    updates = inject(model, parts[-1].name, lora_rank, lora_alpha, lora_dropout, lora_targets)
    frozen = [_share(b, first_step=NEVER) for b in parts[:-1]]
    return [*frozen, Share("lora", updates), _share(parts[-1], head_lr_factor)]


STRATEGIES: Mapping[str, Callable[..., list[Share]]] = {
    "probe": probe, "full": full, "lp_ft": lp_ft, "gradual": gradual,
    "discriminative": discriminative, "layerwise": layerwise, "surgical": surgical,
    "bitfit": bitfit, "norm": norm, "lora": lora,
}  # fmt: skip


def plan(
    model: nn.Module,
    strategy: str,
    *,
    lr: float,
    weight_decay: float | None = None,
    freeze_bn: bool = False,
    head: str | None = None,
    groups: Sequence[str | Sequence[str]] | None = None,
    **options: Any,  # noqa: ANN401
) -> Plan:
    """The plan of a strategy; `lr` is the rate of the body (of what trains, for a probe).

    `head` and `groups` as in `blocks`. Further options are those of the strategy's function:
    `head_lr_factor`, `probe_epochs`, `unfreeze_every`, `layer_decay`, `tuned_block`, `lora_rank`, …
    """
    function = _function(strategy)
    known = _options(function)
    if unknown := sorted(options.keys() - known):
        raise OptionError(f"{strategy} has no option {unknown}; it has {sorted(known)}.")
    parts = blocks(model, head=head, groups=groups)
    if len(parts) < 2:
        raise OptionError(
            f"{type(model).__name__} is one block ({parts[0].name!r}); name its head with head=."
        )
    needs_model = "model" in inspect.signature(function).parameters
    shares = function(model, parts, **options) if needs_model else function(parts, **options)
    return Plan(model, shares, lr=lr, weight_decay=weight_decay, freeze_bn=freeze_bn)


def from_params(model: nn.Module, params: Mapping[str, Value], **more: Any) -> Plan:  # noqa: ANN401
    """The plan for a point of a space such as `space` makes: its `strategy`, `lr` and options."""
    strategy = str(params["strategy"])
    wanted = _options(_function(strategy)) | _NAMES
    chosen = {name: params[name] for name in params if name in wanted}
    return plan(model, strategy, lr=cast(float, params["lr"]), **{**chosen, **more})


def _function(strategy: str) -> Callable[..., list[Share]]:
    if strategy not in STRATEGIES:
        raise OptionError(f"strategy={strategy!r}; expected one of {', '.join(STRATEGIES)}.")
    return STRATEGIES[strategy]


def _options(function: Callable[..., list[Share]]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def _share(block: Block, factor: float = 1.0, first_step: float = 1.0) -> Share:
    return Share(block.name, tuple(p for _, p in block.parameters), factor, first_step)


def _only(parts: Sequence[Block], chosen: set[str], factor: float, what: str) -> list[Share]:
    body = []
    for b in parts[:-1]:
        trained = tuple(p for n, p in b.parameters if n in chosen)
        still = tuple(p for n, p in b.parameters if n not in chosen)
        body += [Share(f"{b.name} (still)", still, first_step=NEVER), Share(b.name, trained)]
    if not any(share.parameters for share in body if share.first_step == 1):
        raise OptionError(f"the body has no {what}; choose another strategy.")
    return [*body, _share(parts[-1], factor)]
