"""The data: order, size of the batches, scale, labels, leaks, workers."""

import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np
import torch
from torch.utils.data import RandomSampler, SequentialSampler, WeightedRandomSampler

from luthier.analysis.case import Case, untouched
from luthier.analysis.sites import Site
from luthier.lint.finding import Finding, Rule, Severity

_N_LABELS = 20_000  # looked at, at most
_HASH_S = 2.0
_MANY_NUMBERS = 16
_SLOW_S = 0.005  # per example, beside which a worker pays
_LARGEST_BATCH = 1024


@final
class TrainingInOrder(Rule):
    """A training loader that gives the data in its stored order."""

    code = "L39"
    severity = Severity.WARNING
    needs = ("model", "loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """A warning where the labels are sorted, by the number of runs of equal labels."""
        loader = case.subject.loader
        if not isinstance(getattr(loader, "sampler", None), SequentialSampler):
            return
        labels = _labels(loader.dataset)
        n_runs, expected = 0, 0.0
        if labels is not None and len(labels) > 1:
            n_runs = 1 + int(np.count_nonzero(labels[1:] != labels[:-1]))
            shares = np.unique(labels, return_counts=True)[1] / len(labels)
            expected = 1 + (len(labels) - 1) * float(1 - (shares**2).sum())
        is_sorted = expected > 2 and n_runs < expected / 2
        yield self.found(
            "",
            _site(case, loader),
            None if is_sorted else Severity.INFO,
            n_runs=n_runs or "-",
            expected=f"{expected:.0f}" if expected else "-",
        )


@final
class ValidationAtRandom(Rule):
    """A validation loader that shuffles, or leaves the last batch out."""

    code = "L40"
    severity = Severity.INFO
    needs = ("model", "val_loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """Each makes the metric noisier than it has to be."""
        loader = case.subject.val_loader
        shuffles = isinstance(getattr(loader, "sampler", None), RandomSampler)
        drops = (
            bool(getattr(loader, "drop_last", False))
            and bool(loader.batch_size)
            and (len(loader.dataset) % loader.batch_size != 0)
        )
        if shuffles or drops:
            yield self.found("", _site(case, loader), shuffles=shuffles, drops_last=drops)


@final
class GeneratorCopiedToWorkers(Rule):
    """A random generator inside of the dataset, of which every worker gets the same copy."""

    code = "L41"
    severity = Severity.WARNING
    needs = ("model", "loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """torch seeds the global generators of its workers apart, but not a dataset's own."""
        loader = case.subject.loader
        if not getattr(loader, "num_workers", 0) or loader.worker_init_fn is not None:
            return
        kinds = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator)
        held = [n for n, v in vars(loader.dataset).items() if isinstance(v, kinds)]
        if held:
            yield self.found(
                "", _site(case, loader), attribute=held[0], n_workers=loader.num_workers
            )


@final
class BatchOutsideRange(Rule):
    """A batch beyond 1024, or of more than a tenth of the data."""

    code = "L42"
    severity = Severity.WARNING
    needs = ("model", "batch size")

    def check(self, case: Case) -> Iterator[Finding]:
        """The size given for training, or the loader's; a bare sample only where it is large."""
        n, loader = case.subject.batch_size, case.subject.loader
        n = n or (case.n_examples if (case.n_examples or 0) > _LARGEST_BATCH else None)
        if not n:
            return
        site = _site(case, loader)
        if n > _LARGEST_BATCH:
            scheduled = bool(case.subject.schedulers)
            yield self.found(
                "", site, Severity.INFO if scheduled else None, batch_size=n, expected="1–1024"
            )
        elif loader is not None and (size := _length(loader)) and n > max(1, size // 10):
            yield self.found(
                "",
                site,
                Severity.INFO,
                batch_size=n,
                expected=f"<= {size // 10}",
            )


@final
class UnscaledInput(Rule):
    """Inputs far from zero mean and unit size, or images as whole numbers."""

    code = "L55"
    severity = Severity.WARNING
    needs = ("model", "batch")

    def check(self, case: Case) -> Iterator[Finding]:
        """Beyond 10 a warning; a mean above 0.2 of floats a note. Token ids are not looked at."""
        args, options = case.batch[0] or ((), {})
        for number, tensor in enumerate([*args, *options.values()]):
            if not isinstance(tensor, torch.Tensor) or tensor.dim() < 2 or not tensor.numel():
                continue
            whole = not tensor.is_floating_point()
            if whole and (tensor.dtype is not torch.uint8 or tensor.dim() < 4):
                continue
            values = tensor.detach().double()
            low, high, mean = float(values.min()), float(values.max()), float(values.mean())
            is_large = max(abs(low), abs(high)) > 10
            if is_large or whole or abs(mean) > 0.2:
                yield self.found(
                    "",
                    case.subject.where,
                    None if is_large or whole else Severity.INFO,
                    input=number,
                    low=f"{low:.3g}",
                    high=f"{high:.3g}",
                    mean=f"{mean:.3g}",
                    dtype=str(tensor.dtype).removeprefix("torch."),
                )


@final
class SplitLeak(Rule):
    """Examples of the validation data that are in the training data too."""

    code = "L62"
    severity = Severity.ERROR
    needs = ("model", "loader", "val_loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """By the bytes of the inputs, for two seconds of each side at most.

        Short rows may be equal by chance: below 16 numbers it is a warning.
        """
        with untouched():
            train = _hashes(case.subject.loader.dataset)
            val = _hashes(case.subject.val_loader.dataset)
        both = sum(count for digest, count in val.items() if digest in train)
        if both:
            few = _n_numbers(case.subject.val_loader.dataset[0]) < _MANY_NUMBERS
            yield self.found(
                "",
                _site(case, case.subject.val_loader),
                Severity.WARNING if few else None,
                n_shared=both,
                n_validation=sum(val.values()),
                n_training=sum(train.values()),
            )


@final
class ImbalancedLabels(Rule):
    """A class ten times as frequent as another, and nothing that makes up for it."""

    code = "L63"
    severity = Severity.WARNING
    needs = ("model", "loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """Class weights in the loss, or a weighted sampler, make up for it."""
        loader = case.subject.loader
        labels = _labels(loader.dataset)
        weighted = getattr(case.subject.loss, "weight", None) is not None
        if labels is None or weighted or isinstance(loader.sampler, WeightedRandomSampler):
            return
        counts = np.unique(labels, return_counts=True)[1]
        if 1 < len(counts) <= len(labels) / 10 and counts.max() > 10 * counts.min():
            yield self.found(
                "",
                _site(case, loader),
                most=int(counts.max()),
                least=int(counts.min()),
                n_classes=len(counts),
            )


@final
class WorkersUnfit(Rule):
    """Examples that take long to make and no workers, or more workers than cores."""

    code = "L68"
    severity = Severity.INFO
    needs = ("model", "loader")

    def check(self, case: Case) -> Iterator[Finding]:
        """The time of an example is the least of four."""
        loader = case.subject.loader
        n_workers, n_cores = getattr(loader, "num_workers", 0), os.cpu_count() or 1
        if n_workers > n_cores:
            yield self.found(
                "",
                _site(case, loader),
                n_workers=n_workers,
                n_cores=n_cores,
                example_ms="-",
            )
        elif n_workers == 0 and hasattr(loader.dataset, "__getitem__") and _length(loader):
            with untouched():
                taken_s = []
                for index in range(min(4, len(loader.dataset))):
                    began_s = time.perf_counter()
                    loader.dataset[index]
                    taken_s.append(time.perf_counter() - began_s)
            if min(taken_s) > _SLOW_S:
                yield self.found(
                    "",
                    _site(case, loader),
                    n_workers=0,
                    n_cores=n_cores,
                    example_ms=round(1000 * min(taken_s), 1),
                )


def _site(case: Case, loader: Any) -> Site | None:  # noqa: ANN401
    return case.subject.sites[loader] or case.subject.where


def _length(loader: Any) -> int:  # noqa: ANN401
    try:
        return len(loader.dataset)
    except (TypeError, AttributeError):  # a stream
        return 0


def _labels(dataset: Any) -> Any:  # noqa: ANN401
    """Class numbers of a dataset in its order, shape (n,), or None when they are not at hand."""
    found = getattr(dataset, "targets", getattr(dataset, "labels", None))
    tensors = getattr(dataset, "tensors", None)
    if found is None and isinstance(tensors, Sequence) and len(tensors) > 1:
        found = tensors[-1]
    if found is None and hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        inner = _labels(dataset.dataset)
        return None if inner is None else inner[np.asarray(dataset.indices)[:_N_LABELS]]
    if found is None:
        return None
    labels = np.asarray(found[:_N_LABELS])
    is_class = labels.ndim == 1 and (labels.dtype.kind in "iubUS")
    return labels if is_class else None


def _n_numbers(example: Any) -> int:  # noqa: ANN401
    inputs = example[0] if isinstance(example, list | tuple) else example
    leaves = torch.utils._pytree.tree_leaves(inputs)
    return sum(int(np.asarray(leaf).size) for leaf in leaves)


def _hashes(dataset: Any) -> Counter[bytes]:  # noqa: ANN401
    found: Counter[bytes] = Counter()
    ends_s = time.perf_counter() + _HASH_S
    for index in range(len(dataset)):
        example = dataset[index]
        inputs = example[0] if isinstance(example, list | tuple) else example
        digest = hashlib.blake2b(digest_size=16)
        for leaf in torch.utils._pytree.tree_leaves(inputs):
            array = leaf.detach().cpu().numpy() if isinstance(leaf, torch.Tensor) else leaf
            digest.update(
                np.ascontiguousarray(array).tobytes()
                if isinstance(array, np.ndarray)
                else repr(array).encode()
            )
        found[digest.digest()] += 1
        if time.perf_counter() > ends_s:
            break
    return found


RULES = (
    TrainingInOrder(),
    ValidationAtRandom(),
    GeneratorCopiedToWorkers(),
    BatchOutsideRange(),
    UnscaledInput(),
    SplitLeak(),
    ImbalancedLabels(),
    WorkersUnfit(),
)
