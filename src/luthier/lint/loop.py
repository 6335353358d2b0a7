"""The training loop, read from the script: nothing of it is run."""

import ast
import re
from collections.abc import Iterator
from typing import final

from luthier.analysis.case import Case, Source
from luthier.lint.finding import Finding, Rule, Severity

_SCHEDULE = re.compile(r"sched|lr_?decay|warm_?up", re.IGNORECASE)
_OPTIMIZER = re.compile(r"opt|^(sgd|adam\w*)$|solver", re.IGNORECASE)
_CLEARED = re.compile(
    r"\.grad\s*=\s*None|\.grad(\.data|\.detach\(\))?\.(zero_|fill_)\(|_foreach_zero_"
)
_SEEDS = re.compile(r"manual_seed|seed_everything|set_seed|seed_all|luthier\.tune|fix_seed")


@final
class EvaluationInTrainingMode(Rule):
    """A model is evaluated, and nowhere put into evaluation mode."""

    code = "L36"
    severity = Severity.ERROR
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """A script that trains a model and calls it under no_grad, without any `.eval()`.

        Beside a backward pass in the same loop it may be meant (a generator, a teacher), and
        without a layer that has two modes it changes nothing yet: a warning.
        """
        source = _source(case)
        text = source.text
        if ".eval()" in text or "train(False)" in text or "train(mode=" in text:
            return
        trained = _trained_names(source)
        for block in ast.walk(source.tree):
            if isinstance(block, ast.With) and _is_without_gradient(block):
                for call in _calls(block):
                    if isinstance(call.func, ast.Name) and call.func.id in trained:
                        sure = _mode_matters(case, text) and not _is_beside_backward(
                            source.tree, block
                        )
                        severity = None if sure else Severity.WARNING
                        yield self.found("", source.site(call), severity, model=call.func.id)
                        return


def _mode_matters(case: Case, text: str) -> bool:
    """Whether a layer is seen that behaves differently in training and in evaluation."""
    model = case.subject.model
    names = [type(m).__name__ for m in model.modules()] if model is not None else [text]
    return any(word in name for name in names for word in ("Dropout", "dropout", "BatchNorm"))


@final
class TrainingInEvaluationMode(Rule):
    """A model goes into evaluation mode inside of the loop and never comes back."""

    code = "L37"
    severity = Severity.WARNING
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """The loop trains, or calls what does; also a submodule left behind by the build."""
        source = _source(case)
        for loop in _loops(source.tree):
            inside = _reached(source, loop)
            evals = [c for c in inside if _method(c) == "eval" and not c.args]
            trains = [c for c in inside if _method(c) == "train"]
            backward = [c for c in inside if _method(c) == "backward"]
            if evals and backward and not trains:
                yield self.found("", source.site(evals[0]), model=_owner(evals[0]))
                return
        yield from self._left_behind(case)

    def _left_behind(self, case: Case) -> Iterator[Finding]:
        model = case.subject.model
        if model is None or not model.training:
            return
        for path, module in case.modules.items():
            stateful = "Norm" in type(module).__name__ or "Dropout" in type(module).__name__
            trainable = any(p.requires_grad for p in module.parameters())
            if path and stateful and not module.training and trainable:
                yield self.found(path, case.site(path), model=path)
                return


@final
class ScheduleBeforeOptimizer(Rule):
    """The schedule steps before the optimizer, or a plateau schedule is told no metric."""

    code = "L51"
    severity = Severity.WARNING
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Both in one body of a loop, or the optimizer in a loop within it; the schedule first."""
        source = _source(case)
        plateaus = _assigned(source, re.compile("ReduceLROnPlateau"))
        told: set[int] = set()  # lines: a loop within a loop is met twice
        for loop in _loops(source.tree):
            schedules, optimizers = _steps(source, loop)
            same_body = [
                (s, o)
                for s in schedules
                for body in [_body_of(loop, s)]
                for o in optimizers
                if body is _body_of(loop, o)
                or (not isinstance(body, ast.If) and not s.args and o in _calls(body))
            ]
            early = [(s, o) for s, o in same_body if s.lineno < o.lineno]
            found = {
                schedule: f"{_owner(schedule)}.step(); {_owner(optimizer)}.step()"
                for schedule, optimizer in early[:1]
            }
            for call in schedules:
                if _owner(call) in plateaus and not call.args and not call.keywords:
                    found.setdefault(call, f"{_owner(call)}.step()")
            for call, code in found.items():
                if call.lineno not in told:
                    yield self.found("", source.site(call), code=code)
            told |= {call.lineno for call in found}


@final
class GradientsNeverCleared(Rule):
    """Gradients add up over all steps."""

    code = "L52"
    severity = Severity.ERROR
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """A loop that goes backward and steps an optimizer, in a script that never clears any."""
        source = _source(case)
        if "zero_grad" in source.text or _CLEARED.search(source.text):
            return
        for loop in _loops(source.tree):
            _, steps = _steps(source, loop)
            if steps and any(_method(c) == "backward" for c in _calls(loop)):
                yield self.found("", source.site(steps[0]), optimizer=_owner(steps[0]))
                return


@final
class ClippedBeforeUnscaled(Rule):
    """Gradients are clipped while they still carry the scale of mixed precision."""

    code = "L53"
    severity = Severity.ERROR
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """A function with `scaler.scale(…)` and clipping, without `unscale_` before it."""
        source = _source(case)
        for function in _functions(source.tree):
            calls = _calls_in_order(function)
            scaled = any(_method(c) == "scale" and "scaler" in _owner(c).lower() for c in calls)
            clips = [c for c in calls if _called(c).startswith("clip_grad_")]
            unscaled = [c.lineno for c in calls if _method(c) == "unscale_"]
            for clip in clips if scaled else ():
                if not any(line <= clip.lineno for line in unscaled):
                    yield self.found("", source.site(clip), call=_called(clip))


@final
class AccumulatedLossNotDivided(Rule):
    """Gradients of several batches are added and not divided by their number."""

    code = "L54"
    severity = Severity.WARNING
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """An optimizer that steps in `if … % k`, and a loss that nothing divides in that loop."""
        source = _source(case)
        for loop in _loops(source.tree):
            own = _calls_in_order(loop)
            backward = [c for c in own if _method(c) == "backward"]
            for branch in ast.walk(loop):
                rhythmic = isinstance(branch, ast.If) and any(
                    isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mod)
                    for n in ast.walk(branch.test)
                )
                if not rhythmic or not backward:
                    continue
                steps = [
                    c
                    for c in _calls(branch)
                    if _method(c) == "step"
                    and _OPTIMIZER.search(_owner(c))
                    and not _SCHEDULE.search(_owner(c))
                ]
                inside = {id(c) for c in _calls(branch)}
                accumulates = steps and not any(id(c) in inside for c in backward)
                if accumulates and not self._divides(loop, backward):
                    yield self.found("", source.site(backward[0]), every=ast.unparse(branch.test))  # type: ignore[attr-defined]
                    return

    def _divides(self, loop: ast.AST, backward: list[ast.Call]) -> bool:
        losses = {n.id for c in backward for n in ast.walk(c) if isinstance(n, ast.Name)}
        for node in ast.walk(loop):
            if isinstance(node, ast.AugAssign):
                divided = isinstance(node.op, ast.Div) and ast.unparse(node.target) in losses
            elif isinstance(node, ast.Assign):
                named = any(ast.unparse(target) in losses for target in node.targets)
                divided = named and _has_division(node.value)
            else:
                divided = False
            if divided:
                return True
        return any(_has_division(call) for call in backward)


@final
class SeedMissing(Rule):
    """A training that cannot be repeated: nothing seeds its random numbers."""

    code = "L64"
    severity = Severity.INFO
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Under @luthier.tune every trial is seeded."""
        source = _source(case)
        backward = [c for c in _calls(source.tree) if _method(c) == "backward"]
        if backward and not _SEEDS.search(source.text):
            yield self.found("", source.site(backward[0]))


@final
class IncompleteCheckpoint(Rule):
    """A checkpoint to go on from that lacks something the training needs."""

    code = "L65"
    severity = Severity.WARNING
    needs = ("source",)

    def check(self, case: Case) -> Iterator[Finding]:
        """A dict saved with a model's state and an epoch or step: it is there to go on from."""
        source = _source(case)
        has_schedule = bool(_assigned(source, re.compile("lr_scheduler|LRScheduler|_schedule")))
        for call in _calls(source.tree):
            if _called(call) != "save" or not call.args or not isinstance(call.args[0], ast.Dict):
                continue
            keys = " ".join(
                k.value.lower()
                for k in call.args[0].keys
                if isinstance(k, ast.Constant) and isinstance(k.value, str)
            )
            if not re.search(r"model|net|state_dict", keys) or not re.search(r"epoch|step", keys):
                continue
            wanted = {"optimizer": r"opt", "rng": r"rng|random|generator"}
            if has_schedule:
                wanted["scheduler"] = r"sched"
            missing = [name for name, pattern in wanted.items() if not re.search(pattern, keys)]
            if missing:
                yield self.found(
                    "",
                    source.site(call),
                    missing=", ".join(missing),
                    severity=None
                    if "optimizer" in missing or "scheduler" in missing
                    else Severity.INFO,
                )


def _source(case: Case) -> Source:
    assert case.source is not None
    return case.source


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _calls_in_order(tree: ast.AST) -> list[ast.Call]:
    return sorted(_calls(tree), key=lambda call: (call.lineno, call.col_offset))


def _loops(tree: ast.AST) -> list[ast.For | ast.While]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While)]


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.Module]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    found: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.Module] = [
        node for node in ast.walk(tree) if isinstance(node, kinds)
    ]
    return found or ([tree] if isinstance(tree, ast.Module) else [])


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _steps(source: Source, loop: ast.AST) -> tuple[list[ast.Call], list[ast.Call]]:
    """Calls of `step()` in a loop, in order: of schedules and of optimizers, by what their names
    were given, or sound like."""
    schedules = _assigned(source, re.compile(r"lr_scheduler|LRScheduler|_schedule|LR$|Plateau$"))
    optimizers = _assigned(source, re.compile(r"optim|SGD|Adam")) - schedules
    steps = [c for c in _calls_in_order(loop) if _method(c) == "step"]
    of_schedules = [c for c in steps if _owner(c) not in optimizers
                    and (_owner(c) in schedules or _SCHEDULE.search(_owner(c)))]  # fmt: skip
    of_optimizers = [c for c in steps if c not in of_schedules
                     and (_owner(c) in optimizers or _OPTIMIZER.search(_owner(c)))]  # fmt: skip
    return of_schedules, of_optimizers


def _owner(call: ast.Call) -> str:
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _reached(source: Source, loop: ast.AST) -> list[ast.Call]:
    """Calls in a loop, and in the script's functions that it calls, one level down."""
    functions = {n.name: n for n in ast.walk(source.tree) if isinstance(n, ast.FunctionDef)}
    found = _calls(loop)
    for call in list(found):
        if isinstance(call.func, ast.Name) and call.func.id in functions:
            found += _calls(functions[call.func.id])
    return found


def _trained_names(source: Source) -> set[str]:
    """Names whose parameters an optimizer got, in a script that goes backward."""
    if ".backward(" not in source.text:
        return set()
    return {_owner(c) for c in _calls(source.tree) if _method(c) in ("parameters", "train")}


def _is_without_gradient(block: ast.With) -> bool:
    return any(
        re.search(r"no_grad|inference_mode", ast.unparse(i.context_expr)) for i in block.items
    )


def _is_beside_backward(tree: ast.AST, block: ast.With) -> bool:
    """Whether the innermost loop around a block goes backward itself, not in a loop of its own."""
    around = [loop for loop in _loops(tree) if block in ast.walk(loop)]
    if not around:
        return False
    nested = {id(c) for loop in _loops(around[-1]) if loop is not around[-1] for c in _calls(loop)}
    own = [c for c in _calls(around[-1]) if id(c) not in nested]
    return any(_method(c) == "backward" for c in own)


def _assigned(source: Source, made_by: re.Pattern[str]) -> set[str]:
    """Names that are given the result of a call that matches."""
    return {
        ast.unparse(target)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and made_by.search(ast.unparse(node.value.func))
        for target in node.targets
    }


def _body_of(tree: ast.AST, call: ast.Call) -> ast.AST:
    """The innermost loop or branch that a call lies in."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.For | ast.While | ast.If)]
    around = [b for b in blocks if any(call in _calls(line) for line in b.body)]
    return around[-1] if around else tree


def _has_division(tree: ast.AST) -> bool:
    return any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) for n in ast.walk(tree))


RULES = (
    EvaluationInTrainingMode(),
    TrainingInEvaluationMode(),
    ScheduleBeforeOptimizer(),
    GradientsNeverCleared(),
    ClippedBeforeUnscaled(),
    AccumulatedLossNotDivided(),
    SeedMissing(),
    IncompleteCheckpoint(),
)
