"""Weight decay: how much, by which optimizer, on which parameters."""

from collections.abc import Iterator
from typing import Any, final

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from luthier.analysis.case import Case
from luthier.lint.finding import Finding, Rule, Severity
from luthier.lint.interval import peak_lr

_DECOUPLED = ("AdamW", "NAdamW", "Lion", "Adan")
_CHAPTER, _MOST_L2, _MOST_DECOUPLED = 1e-4, 5e-4, 0.3
_LONG = 10


@final
class DecayOutsideRange(Rule):
    """More weight decay than the textbook's range, or none in a long training."""

    code = "L26"
    severity = Severity.WARNING
    needs = ("optimizer",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Coupled (SGD, Adam): above 5e-4 a warning, above 1e-4 a note. Decoupled: above 0.3."""
        for optimizer in case.subject.optimizers:
            site = case.subject.sites[optimizer]
            decays = sorted({float(g.get("weight_decay", 0.0)) for g in optimizer.param_groups})
            most = _MOST_DECOUPLED if _is_decoupled(optimizer) else _MOST_L2
            name = type(optimizer).__name__
            if decays[-1] > most:
                yield self.found(
                    "", site, optimizer=name, weight_decay=decays[-1], expected=f"<= {most:g}"
                )
            elif not _is_decoupled(optimizer) and decays[-1] > _CHAPTER:
                yield self.found(
                    "",
                    site,
                    Severity.INFO,
                    optimizer=name,
                    weight_decay=decays[-1],
                    expected=f"0–{_CHAPTER:g}",
                )
            elif decays[-1] == 0 and (case.subject.epochs or 0) > _LONG:
                yield self.found(
                    "",
                    site,
                    Severity.INFO,
                    optimizer=name,
                    weight_decay=0,
                    expected="> 0",
                )


@final
class DecayThroughAdam(Rule):
    """Weight decay as a gradient, which Adam then rescales."""

    code = "L27"
    severity = Severity.WARNING
    needs = ("optimizer",)

    def check(self, case: Case) -> Iterator[Finding]:
        """torch.optim.Adam without decoupled_weight_decay."""
        for optimizer in case.subject.optimizers:
            decays = [float(g.get("weight_decay", 0.0)) for g in optimizer.param_groups]
            if (
                type(optimizer).__name__ == "Adam"
                and max(decays) > 0
                and (not _is_decoupled(optimizer))
            ):
                yield self.found("", case.subject.sites[optimizer], weight_decay=max(decays))


@final
class DecayOnNormAndBias(Rule):
    """Weight decay on biases, normalization weights or embeddings."""

    code = "L28"
    severity = Severity.WARNING
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """A note where the decay is no more than 1e-4, which hardly moves them."""
        special = {
            id(p)
            for module in case.modules.values()
            if isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm | nn.Embedding)
            for p in module.parameters(recurse=False)
        }
        for optimizer in case.subject.optimizers:
            decayed = [
                (p, float(g.get("weight_decay", 0.0)))
                for g in optimizer.param_groups
                for p in g["params"]
                if g.get("weight_decay", 0.0) > 0
            ]
            wrong = [(p, d) for p, d in decayed if p.dim() <= 1 or id(p) in special]
            if wrong:
                most = max(d for _, d in wrong)
                yield self.found(
                    "",
                    case.subject.sites[optimizer],
                    Severity.INFO if most <= _CHAPTER else None,
                    n_tensors=len(wrong),
                    n_decayed=len(decayed),
                    weight_decay=most,
                )


@final
class DecayTimescale(Rule):
    """A decay that forgets within an epoch, or not within the training."""

    code = "L29"
    severity = Severity.INFO
    needs = ("optimizer", "loader", "epochs")

    def check(self, case: Case) -> Iterator[Finding]:
        """1 / (lr x decay x steps per epoch), in epochs (arXiv:2405.13698); decoupled only."""
        epochs, loader = case.subject.epochs, case.subject.loader
        if epochs is None or not hasattr(loader, "__len__"):
            return
        n_steps = -(-len(loader) // case.subject.accumulation)
        for optimizer in case.subject.optimizers:
            if not _is_decoupled(optimizer):
                continue
            for group in optimizer.param_groups:
                rate = peak_lr(group) * float(group.get("weight_decay", 0.0)) * n_steps
                if rate > 0 and not 1 <= 1 / rate <= epochs:
                    yield self.found(
                        "",
                        case.subject.sites[optimizer],
                        timescale=f"{1 / rate:.3g}",
                        epochs=epochs,
                        lr=peak_lr(group),
                        weight_decay=group["weight_decay"],
                    )
                    break


def _is_decoupled(optimizer: Any) -> bool:  # noqa: ANN401
    name = type(optimizer).__name__
    return name in _DECOUPLED or any(
        g.get("decoupled_weight_decay") for g in optimizer.param_groups
    )


RULES = (DecayOutsideRange(), DecayThroughAdam(), DecayOnNormAndBias(), DecayTimescale())
