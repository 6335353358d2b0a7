"""A subject under examination: what is computed from it, once, when a rule first asks."""

import ast
import copy
import random
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from luthier.analysis.sites import Site, is_users
from luthier.analysis.subject import Inputs, Subject, first_batches, split_batch

_MAX_ELEMENTS = 2**18  # of the inputs that are traced; two examples where they are larger
_MAX_EXAMPLES = 32


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A script: its text, and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, path: Path) -> "Source":
        """The script at `path`."""
        text = path.read_text(encoding="utf-8")
        return cls(path, text, ast.parse(text))

    def site(self, node: ast.AST) -> Site:
        """The line where a node begins."""
        return Site(str(self.path), getattr(node, "lineno", 1))


@final
class Case:
    """What the rules read. The user's model, generators and random states stay untouched."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @cached_property
    def source(self) -> Source | None:
        """The script, when its text is at hand."""
        path = self.subject.script
        return Source.read(path) if path is not None and path.suffix == ".py" else None

    @cached_property
    def modules(self) -> dict[str, Any]:
        """The model's modules by path, each once."""
        return dict(self.subject.model.named_modules()) if self.subject.model is not None else {}

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The model's parameters by name, each once."""
        return dict(self.subject.model.named_parameters())

    @cached_property
    def batch(self) -> tuple[Inputs | None, Any]:
        """Arguments of the model and target: what was given, else the loader's first batch."""
        it = self.subject
        if it.inputs is None and it.loader is not None:
            with untouched():
                batches = first_batches(it.loader, 1)
            if batches:
                return split_batch(it.model, batches[0], it.loss is not None)
        return it.inputs, it.target

    @cached_property
    def n_examples(self) -> int | None:
        """Examples in a batch: of the loader, or of the sample batch."""
        if self.subject.batch_size:
            return int(self.subject.batch_size)
        inputs, _ = self.batch
        sizes = {t.shape[0] for t in _tensors(inputs) if t.dim() > 0}
        return int(sizes.pop()) if len(sizes) == 1 else None

    @cached_property
    def has_batch(self) -> bool:
        """Whether there is a batch of real data."""
        return self.batch[0] is not None

    @cached_property
    def sample(self) -> Inputs | None:
        """What the model is run on: the batch, else noise of a shape that it accepts."""
        if self.has_batch:
            return self.batch[0]
        from luthier.analysis.guess import guessed_inputs

        with untouched():
            return guessed_inputs(*copied(self.subject.model))

    @cached_property
    def has_flow(self) -> bool:
        """Whether the model can be run at all, on real data or on noise."""
        return self.sample is not None

    @cached_property
    def noise(self) -> str:
        """The shape of the noise that stands for a batch; "" where a batch was given."""
        if self.has_batch or not self.has_flow:
            return ""
        return ", ".join("x".join(map(str, t.shape)) for t in _tensors(self.sample))

    @cached_property
    def trace(self) -> Any:  # noqa: ANN401  analysis.trace.Trace
        """The data flow of one training step on a copy of the model, with its loss if given."""
        return self.run.trace

    @cached_property
    def run(self) -> "TrainingRun":
        """One forward and backward pass on a copy of the model, with a part of the sample."""
        return _train_once(self)

    @cached_property
    def is_pretrained(self) -> bool:
        """Said by the user, by the model (transformers), or by the script that loads weights."""
        it = self.subject
        if it.pretrained is not None:
            return bool(it.pretrained)
        if getattr(it.model, "name_or_path", ""):
            return True
        return self.source is not None and any(
            _loads_weights(n) for n in ast.walk(self.source.tree)
        )

    def site(self, path: str) -> Site | None:
        """Where the module at `path` was made, or the nearest module around it."""
        while True:
            made = self.subject.sites[self.modules[path]] if path in self.modules else None
            if made is not None or not path:
                return made or self.subject.where
            path = path.rpartition(".")[0]

    def call_site(self, call: Any) -> Site | None:  # noqa: ANN401  analysis.trace.Call
        """The line of a call: where its module was made, or where its function was called."""
        if call.module is None and call.site is not None and is_users(call.site.file):
            site: Site = call.site
            return site
        if call.path.startswith("loss") and call.path not in self.modules:
            return self.subject.sites[self.subject.loss] or self.subject.where
        return self.site(call.path)


@final
@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What one step of training showed."""

    trace: Any
    error: str  # of forward, loss or backward; empty when all went well
    loss: float | None
    without_gradient: tuple[str, ...]  # trainable parameters that got none; () without a backward
    model: Any  # the copy that ran


@contextmanager
def untouched() -> Iterator[None]:
    """Put the random states of Python, NumPy and torch back when the block is done."""
    python, numpy = random.getstate(), np.random.get_state()
    if (torch := sys.modules.get("torch")) is None:
        yield
        random.setstate(python)
        np.random.set_state(numpy)
        return
    own = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    grad = torch.is_grad_enabled()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(own)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        torch.set_grad_enabled(grad)


def copied(*things: Any) -> list[Any]:  # noqa: ANN401
    """Copies that share what the things share.

    Computed tensors that a module holds (the older weight_norm leaves such) cannot be copied by
    deepcopy; they are detached.
    """
    from torch import Tensor

    modules = [m for thing in things if hasattr(thing, "modules") for m in thing.modules()]
    held = [value for module in modules for value in vars(module).values()]
    computed = [value for value in held if isinstance(value, Tensor) and not value.is_leaf]
    return list(copy.deepcopy(things, {id(value): value.detach().clone() for value in computed}))


def small(inputs: Inputs | None, target: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
    """Copies of inputs and target, cut to a few examples where all agree on their number."""
    import torch
    from torch.utils._pytree import tree_map

    tensors = _tensors((inputs, target))
    sizes = {t.shape[0] for t in tensors if t.dim() > 0}
    n_keep = None
    if len(sizes) == 1 and (n := sizes.pop()) > 2:
        n_elements = sum(t.numel() for t in _tensors(inputs))
        n_keep = min(n, max(2, min(_MAX_EXAMPLES, _MAX_ELEMENTS * n // max(1, n_elements))))

    def cut(value: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, torch.Tensor):
            return value
        part = value.detach()[:n_keep] if value.dim() else value.detach()
        return part.clone().requires_grad_(value.requires_grad)

    return tree_map(cut, (inputs, target))  # type: ignore[no-any-return]


def terms_of(loss: Any) -> dict[str, Any]:  # noqa: ANN401
    """The terms of what a loss function gave: a mapping's, a tuple's, or the one."""
    if isinstance(loss, Mapping):
        return {str(name): value for name, value in loss.items()}
    if isinstance(loss, list | tuple):
        return {f"term {number}": value for number, value in enumerate(loss, 1)}
    return {"loss": loss}


def _train_once(case: Case) -> TrainingRun:
    import torch

    from luthier.analysis.trace import Recorder

    inputs, target = case.sample, case.batch[1]
    with untouched(), torch.enable_grad():
        model, loss = copied(case.subject.model, case.subject.loss)
        if not case.has_batch:  # noise has no target
            loss = None
        model.zero_grad()
        if not model.training:
            model.train()
        (args, options), target = small(inputs, target)
        recorder = Recorder(model, loss)
        recorder.note_inputs((args, options))
        error = ""
        given = total = None
        without: tuple[str, ...] = ()
        try:
            with recorder.recording():
                output = model(*args, **options)
                recorder.trace.output = output
                given = _loss(loss, output, target)
                recorder.trace.loss = given
            total = _total(given, output)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        if total is not None and total.requires_grad:
            try:
                total.backward()
                without = tuple(
                    n for n, p in model.named_parameters() if p.requires_grad and p.grad is None
                )
            except RuntimeError as raised:
                error = f"RuntimeError: {raised}"
        value = float(total.detach()) if total is not None and given is not None else None
        recorder.trace.error = error
        model.zero_grad()
        return TrainingRun(recorder.trace, error, value, without, model)


def _loss(loss: Any, output: Any, target: Any) -> Any:  # noqa: ANN401
    if loss is not None:
        return loss(output) if target is None else loss(output, target)
    return getattr(output, "loss", None)


def _total(given: Any, output: Any) -> Any:  # noqa: ANN401
    """A scalar to go back from: the loss, else the sum of all that the model gave."""
    terms = [t for t in terms_of(given).values() if t is not None]
    if terms:
        return sum(t.sum() if hasattr(t, "sum") else t for t in terms)
    values = [t for t in _tensors(output) if t.is_floating_point() and t.requires_grad]
    return sum(t.float().sum() for t in values) if values else None


def _tensors(value: Any) -> list[Any]:  # noqa: ANN401
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    if hasattr(value, "to_tuple"):  # outputs of transformers
        value = value.to_tuple()
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _loads_weights(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func).rpartition(".")[2]
    if name in ("from_pretrained", "load_state_dict_from_url"):
        return True
    if name == "load_state_dict":
        owner = ast.unparse(node.func).rpartition(".")[0]
        return not re.search(r"opt|sched|scaler|ema", owner)
    return any(
        (k.arg == "pretrained" and isinstance(k.value, ast.Constant) and k.value.value is True)
        or (k.arg == "weights" and not (isinstance(k.value, ast.Constant) and not k.value.value))
        for k in node.keywords
    ) and name not in ("CrossEntropyLoss", "WeightedRandomSampler")
