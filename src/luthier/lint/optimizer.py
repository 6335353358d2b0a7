"""Which parameters the optimizer holds, and its own constants."""

from collections.abc import Iterator
from typing import final

from luthier.analysis.case import Case
from luthier.analysis.sites import Site
from luthier.lint.finding import Finding, Rule, Severity


@final
class ParameterNotOptimized(Rule):
    """A trainable parameter that no optimizer holds."""

    code = "L30"
    severity = Severity.ERROR
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Where the optimizer holds tensors of another model, that is the finding instead."""
        held = _held(case)
        missing = [n for n, p in case.parameters.items() if p.requires_grad and id(p) not in held]
        if missing and not _strangers(case):
            n = sum(case.parameters[name].numel() for name in missing)
            yield self.found(missing[0], _site(case), parameters=_some(missing), n_parameters=n)


@final
class FrozenParameterOptimized(Rule):
    """A frozen parameter that the optimizer holds all the same."""

    code = "L31"
    severity = Severity.WARNING
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Accepted silently by torch."""
        held = _held(case)
        frozen = [n for n, p in case.parameters.items() if not p.requires_grad and id(p) in held]
        if frozen:
            yield self.found(
                frozen[0], _site(case), parameters=_some(frozen), n_tensors=len(frozen)
            )


@final
class ParameterTwice(Rule):
    """A parameter that is updated twice per step."""

    code = "L32"
    severity = Severity.ERROR
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Within one group, which torch only warns of, or in two optimizers."""
        seen: set[int] = set()
        twice = []
        for optimizer in case.subject.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if id(parameter) in seen:
                        twice.append(id(parameter))
                    seen.add(id(parameter))
        names = [n for n, p in case.parameters.items() if id(p) in twice]
        if twice:
            yield self.found(
                names[0] if names else "",
                _site(case),
                parameters=_some(names),
                n_tensors=len(set(twice)),
            )


@final
class ParameterWithoutGradient(Rule):
    """A trainable parameter that the loss does not depend on."""

    code = "L33"
    severity = Severity.WARNING
    needs = ("model", "runnable model")

    def check(self, case: Case) -> Iterator[Finding]:
        """After one backward pass."""
        names = case.run.without_gradient
        if names and not case.run.error and len(names) < len(case.parameters):
            path = names[0].rpartition(".")[0]
            yield self.found(
                names[0], case.site(path), parameters=_some(list(names)), n_tensors=len(names)
            )


@final
class StaleOptimizer(Rule):
    """An optimizer that holds the parameters of a model that is gone."""

    code = "L34"
    severity = Severity.ERROR
    needs = ("model", "optimizer")

    def check(self, case: Case) -> Iterator[Finding]:
        """Strangers shaped like parameters of the model that are missing from it."""
        strangers = _strangers(case)
        if strangers:
            yield self.found("", _site(case), n_tensors=strangers)


@final
class UnusualAdamConstants(Rule):
    """beta1, beta2 or epsilon far from where they are known to work."""

    code = "L46"
    severity = Severity.INFO
    needs = ("optimizer",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Accepted: beta1 0.8 to 0.95, beta2 0.9 to 0.9999, epsilon 1e-10 to 1e-3."""
        for optimizer in case.subject.optimizers:
            for group in optimizer.param_groups:
                betas, eps = group.get("betas"), float(group.get("eps", 1e-8))
                if (
                    betas is None
                    or len(betas) < 2
                    or "adam" not in type(optimizer).__name__.lower()
                ):
                    continue
                beta1, beta2 = float(betas[0]), float(betas[1])
                usual = 0.8 <= beta1 <= 0.95 and 0.9 <= beta2 <= 0.9999 and 1e-10 <= eps <= 1e-3
                if not usual:
                    yield self.found(
                        "", case.subject.sites[optimizer], beta1=beta1, beta2=beta2, eps=eps
                    )
                    break


@final
class UnusualMomentum(Rule):
    """SGD with a momentum above 0.99, or with a schedule and without momentum."""

    code = "L47"
    severity = Severity.INFO
    needs = ("optimizer",)

    def check(self, case: Case) -> Iterator[Finding]:
        """0.9 is usual. Fine-tuning on a similar domain may want less, so it is not looked at."""
        for optimizer in case.subject.optimizers:
            for group in optimizer.param_groups:
                momentum = group.get("momentum")
                if momentum is None or type(optimizer).__name__ != "SGD":
                    continue
                idle = momentum == 0 and case.subject.schedulers and not case.is_pretrained
                if momentum > 0.99 or idle:
                    yield self.found("", case.subject.sites[optimizer], momentum=momentum)
                    break


def _held(case: Case) -> set[int]:
    return {id(p) for o in case.subject.optimizers for g in o.param_groups for p in g["params"]}


def _strangers(case: Case) -> int:
    """Tensors of the optimizer that are not the model's but shaped like ones it does not hold."""
    own = {id(p) for p in case.parameters.values()}
    if hasattr(case.subject.loss, "parameters"):
        own |= {id(p) for p in case.subject.loss.parameters()}
    held = _held(case)
    unheld = [tuple(p.shape) for p in case.parameters.values() if id(p) not in held]
    n = 0
    for optimizer in case.subject.optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) not in own and tuple(parameter.shape) in unheld:
                    unheld.remove(tuple(parameter.shape))
                    n += 1
    return n


def _site(case: Case) -> Site | None:
    return case.subject.sites[case.subject.optimizers[0]] or case.subject.where


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", … (+{len(names) - 3})" if len(names) > 3 else "")


RULES = (
    ParameterNotOptimized(),
    FrozenParameterOptimized(),
    ParameterTwice(),
    ParameterWithoutGradient(),
    StaleOptimizer(),
    UnusualAdamConstants(),
    UnusualMomentum(),
)
