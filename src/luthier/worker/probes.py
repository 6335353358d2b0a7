"""Probes: what weights, gradients, activations, data and clock of a PyTorch training say.

They hang on the optimizer's step and on the modules' forward, so the loop stays as it is. A probed
step puts its statistics together on the device; `collect` fetches all of them in one go. Which
steps are probed is decided by what probing has cost so far: never more than the tier's share of the
training time. Probes only read: they draw no random numbers and change no tensor.

The labels of a classifier are read off the gradient of its output: that of a cross-entropy is
softmax minus label, so it is lowest where the label is.
"""

import functools
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from luthier.core.errors import OptionError
from luthier.worker.readings import MIN_ROWS, OutputReading, Readings, StepReading

PREFIX = "probe/"
_WEIGHT_LAYERS = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
_SATURATING = (torch.nn.Tanh, torch.nn.Sigmoid)
_BATCH_NORM = torch.nn.modules.batchnorm._BatchNorm
_DROPOUT = torch.nn.modules.dropout._DropoutNd


@final
@dataclass(frozen=True, slots=True)
class Tier:
    """What probing may cost, and how much of the tensors it looks at."""

    time_share: float  # of the training time
    n_first: int  # probes at steps 1, 2, 5, 11, 23, …, whatever they cost
    n_weights: int  # weights copied to measure updates, at most
    n_activations: int  # numbers looked at per layer, at most
    n_rows: int  # samples of the output looked at, at most


TIERS = {
    "economy": Tier(0.01, 12, 1 << 20, 1 << 14, 256),
    "business": Tier(0.10, 32, 1 << 24, 1 << 17, 1024),
    "full": Tier(float("inf"), 0, 1 << 30, 1 << 24, 4096),
}


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook that fails takes all hooks off and says so; the training goes on without probes."""

    @functools.wraps(hook)
    def call(self: "Probes", *args: Any) -> None:  # noqa: ANN401
        try:
            hook(self, *args)
        except Exception as error:
            self.close()
            warnings.warn(f"no probes from here on: {hook.__name__}: {error!r}", stacklevel=2)

    return call


@final
class Probes:
    """Hooks on what was attached; `collect` gives the metrics since the last call.

    `things`: as given to `run.attach`; modules, optimizers and gradient scalers are made use of.
    `every`: probe each so-manieth step instead of deciding by cost.
    """

    def __init__(
        self,
        things: Mapping[str, Any] | Iterable[Any],
        tier: str = "economy",
        *,
        every: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if tier not in TIERS:
            raise OptionError(f"probes={tier!r}; expected one of {[*TIERS]}.")
        things = list(things.values() if isinstance(things, Mapping) else things)
        self._tier, self._every, self._clock = TIERS[tier], every, clock
        self._models = [t for t in things if isinstance(t, torch.nn.Module)]
        self._optimizers = [t for t in things if isinstance(t, torch.optim.Optimizer)]
        self._scalers = [t for t in things if hasattr(t, "get_scale")]
        self._readings = Readings()
        self._armed = False
        self._n_steps = self._n_probed = 0
        self._next_first = 1
        self._spent_s = self._trained_s = 0.0
        self._next_look_s = 0.0  # of training, until which a step without probes is not told of
        self._alive: dict[int, tuple[Any, int]] = {}  # layer -> units seen awake, in how many rows
        self._ended_s: float | None = None  # when the last step of the optimizer was done
        self._forward_s: float | None = None  # when the forward after it began
        self._spoilt = True  # something else than training happened since the last step
        self._in_training = True
        self._sample = _Sample()
        self._lasting: list[Any] = []  # hooks
        self._passing: list[Any] = []  # hooks of the step that is probed
        self._copies: list[tuple[Any, Any]] = []  # weight, what it was before the step
        self._fresh: dict[int, bool] = {}
        self._names = _named(self._models)
        self.pause(False)
        if self._lasting:
            self._arm()

    @property
    def n_probed(self) -> int:
        """Steps probed so far."""
        return self._n_probed

    def pause(self, paused: bool) -> None:
        """Take the hooks off for a while, or put them on again."""
        if paused:
            self.close()
        elif not self._lasting and self._optimizers and self._models:
            self._spoilt = True
            hooks = [o.register_step_pre_hook(self._before_step) for o in self._optimizers]
            hooks.append(self._optimizers[-1].register_step_post_hook(self._after_step))
            hooks.append(self._models[0].register_forward_pre_hook(self._at_forward))
            self._lasting = hooks

    def collect(self) -> dict[str, float]:
        """Metrics under names `probe/…` since the last call; empty when no step was probed."""
        began_s = self._clock()
        new = self._readings.n_waiting > 0
        if not self._lasting or (not new and self._trained_s < self._next_look_s):
            return {}
        trains = {id(p) for o in self._optimizers for g in o.param_groups for p in g["params"]}
        idle = [p for p, _ in self._names if not p.requires_grad or id(p) not in trains]
        n_all = sum(p.numel() for p, _ in self._names)
        facts = {
            "lr": float(self._optimizers[0].param_groups[0]["lr"]),
            "steps": float(self._n_steps),
            "memory_bytes": _memory_bytes(self._names),
            "frozen_share": sum(p.numel() for p in idle) / max(n_all, 1),
            "left_out_share": sum(p.numel() for p in idle if p.requires_grad) / max(n_all, 1),
            "fresh_frozen_share": sum(p.numel() for p in idle if self._is_fresh(p)) / max(n_all, 1),
            "dropout": max((m.p for model in self._models for m in model.modules()
                            if isinstance(m, _DROPOUT)), default=0.0),
        }  # fmt: skip
        if self._scalers:
            facts["loss_scale"] = float(self._scalers[0].get_scale())
        look_share = self._tier.time_share / 3  # the rest is left to the probes
        self._next_look_s = self._trained_s + (self._clock() - began_s) / look_share
        found = {PREFIX + k: v for k, v in (self._readings.take() | facts).items()}
        self._spent_s += self._clock() - began_s
        self._spoilt = True
        return found

    def close(self) -> None:
        """Take all hooks off. Safe to call twice."""
        for hook in [*self._lasting, *self._passing]:
            hook.remove()
        self._lasting, self._passing, self._copies = [], [], []
        self._armed = False

    @_guarded
    def _at_forward(self, module: Any, inputs: Any) -> None:  # noqa: ANN401
        if not torch.is_grad_enabled():
            self._spoilt = True
            return
        self._in_training = module.training
        if self._forward_s is None:
            self._forward_s = self._clock()
        if self._armed and not self._sample.n_rows:
            first = next((x for x in inputs if isinstance(x, torch.Tensor)), None)
            self._sample.n_rows = len(first) if first is not None and first.ndim else 1

    @_guarded
    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ANN401
        if not self._armed:
            return
        began_s = self._clock()
        with torch.no_grad():
            groups = {id(p): g for g in optimizer.param_groups for p in g["params"]}
            found = [(p, depth) for p, depth in self._names if id(p) in groups]
            have = [(p, depth) for p, depth in found if p.grad is not None and not p.grad.is_sparse]
            if have:
                self._sample.no_grad += sum(
                    p.numel() for p, _ in found if p.grad is None and p.requires_grad
                )
                self._sample.depths += [depth for _, depth in have]
                self._sample.sizes += [p.numel() for p, _ in have]
                self._sample.put("grad", torch._foreach_norm([p.grad for p, _ in have]))
                chosen = _spread([p for p, depth in have if depth >= 0], self._tier.n_weights)
                if chosen:
                    self._copies += [(p, p.detach().clone()) for p in chosen]
                    self._sample.decays += [_decay(optimizer, groups[id(p)]) for p in chosen]
                    self._sample.fans += [p[0].numel() for p in chosen]
                    self._sample.weight_sizes += [p.numel() for p in chosen]
                    self._sample.put("weight", torch._foreach_norm(chosen))
                    self._sample.put("weight_grad", torch._foreach_norm([p.grad for p in chosen]))
        self._spent_s += self._clock() - began_s

    @_guarded
    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ANN401
        now_s = self._clock()
        self._n_steps += 1
        if not self._spoilt and self._ended_s is not None and self._forward_s is not None:
            step_s = now_s - self._ended_s
            self._trained_s += step_s
            if not self._armed:
                self._readings.add_time(step_s, self._forward_s - self._ended_s)
        self._readings.add_mode(self._in_training)
        if self._armed:
            self._finish()
        if self._due():
            self._arm()
        self._spoilt, self._forward_s = False, None
        self._ended_s = self._clock()
        self._spent_s += self._ended_s - now_s

    def _due(self) -> bool:
        if self._every is not None:
            return self._n_steps % self._every == 0
        if self._n_steps + 1 >= self._next_first and self._n_probed < self._tier.n_first:
            # 1, 2, 5, 11, 23, …: never in time with the batches of an epoch
            self._next_first = 2 * self._next_first + (self._next_first > 1)
            return True
        cost_s = self._spent_s / max(self._n_probed, 1)
        return self._spent_s + cost_s <= self._tier.time_share * self._trained_s

    def _arm(self) -> None:
        self._armed = True
        self._sample = _Sample()
        for model in self._models:
            for module in model.modules():
                if isinstance(module, _WEIGHT_LAYERS):
                    self._passing.append(module.register_forward_pre_hook(self._at_layer))
                elif isinstance(module, _SATURATING):
                    self._passing.append(module.register_forward_hook(self._at_bounded))
                elif isinstance(module, _BATCH_NORM):
                    self._sample.has_batch_norm |= module.training
        self._passing.append(self._models[0].register_forward_hook(self._at_output))

    @_guarded
    def _at_layer(self, module: Any, inputs: Any) -> None:  # noqa: ANN401
        if not torch.is_grad_enabled() or id(module) in self._sample.seen or not inputs:
            return
        began_s = self._clock()
        x = inputs[0].detach()
        if x.is_floating_point() and x.numel():
            self._sample.seen.add(id(module))
            units = 1 if not isinstance(module, torch.nn.Linear) else -1
            x = _rows(x, self._tier.n_activations).movedim(units, -1).flatten(0, -2).float()
            size = x.abs()
            first = not self._sample.layers
            awake, n_rows = (size > 0).any(0), x.shape[0]
            before, n_before = self._alive.get(id(module), (awake, MIN_ROWS))
            if n_before < MIN_ROWS and before.shape == awake.shape:
                awake, n_rows = awake | before, n_rows + n_before
            self._alive[id(module)] = (awake, n_rows)
            self._sample.layers.append(n_rows)
            self._sample.put("layer", [
                x.square().mean().sqrt(),
                size.amax(),
                1 - awake.float().mean(),
                (size > 0.99).float().mean(),
                (x > 0.99).float().mean() + ((x >= 0) & (x < 0.01)).float().mean(),
                x.amin(),
            ])  # fmt: skip
            if first:
                centred = x - x.mean(0)  # torch's own std over rows takes a millisecond
                spread = (centred.square().sum(0) / max(len(x) - 1, 1)).sqrt()
                self._sample.put("input", [x.mean(), spread.amax(), spread.median()])
        self._spent_s += self._clock() - began_s

    @_guarded
    def _at_bounded(self, module: Any, inputs: Any, output: Any) -> None:  # noqa: ANN401
        if not torch.is_grad_enabled() or id(module) in self._sample.seen:
            return
        began_s = self._clock()
        self._sample.seen.add(id(module))
        x = _rows(output.detach(), self._tier.n_activations)
        low = -0.99 if isinstance(module, torch.nn.Tanh) else 0.01
        self._sample.put("bounded", [((x > 0.99) | (x < low)).float().mean()])
        self._spent_s += self._clock() - began_s

    @_guarded
    def _at_output(self, module: Any, inputs: Any, output: Any) -> None:  # noqa: ANN401
        tensor = _tensor(output)
        if tensor is None or not tensor.requires_grad or tensor.ndim < 1:
            return
        self._sample.output = tensor.detach()
        tensor.register_hook(self._at_output_grad)

    @_guarded
    def _at_output_grad(self, grad: Any) -> None:  # noqa: ANN401
        self._sample.output_grad = grad.detach()

    def _finish(self) -> None:
        """Pack the probed step into one vector on the device."""
        for hook in self._passing:
            hook.remove()
        self._passing, self._armed = [], False
        sample = self._sample
        with torch.no_grad():
            if self._copies:
                steps = [before for _, before in self._copies]
                torch._foreach_sub_(steps, [p.detach() for p, _ in self._copies])
                sample.put("update", torch._foreach_norm(steps))
            output = _output_columns(sample, self._tier.n_rows)
        self._copies = []
        self._n_probed += 1
        if sample.parts:
            device = next(iter(sample.parts.values()))[0].device
            names = [*sample.parts]
            counts = [len(sample.parts[name]) for name in names]
            scalars = [v.to(device, torch.float32) for name in names for v in sample.parts[name]]
            vector = torch.cat([torch.stack(scalars), *(o.to(device).float().flatten()
                                                        for o in output)])  # fmt: skip
            n_out = len(output[0]) if output else 0
            classes = sample.output.shape[1] if n_out else 0
            step = StepReading(
                step=self._n_steps,
                names=tuple(names),
                counts=tuple(counts),
                depths=tuple(sample.depths),
                sizes=tuple(sample.sizes),
                weight_sizes=tuple(sample.weight_sizes),
                decays=tuple(sample.decays),
                fans=tuple(sample.fans),
                layer_rows=tuple(sample.layers),
                n_rows=sample.n_rows,
                has_batch_norm=sample.has_batch_norm,
                no_grad=sample.no_grad,
                output=OutputReading(n_out, classes),
            )
            self._readings.add(step, lambda: np.asarray(vector.cpu(), np.float64))
        self._sample = _Sample()

    def _is_fresh(self, weight: Any) -> bool:  # noqa: ANN401
        """Whether a weight still looks as it was drawn: uniform, as `torch.nn` starts."""
        if weight.ndim < 2 or weight.numel() < 64:
            return False
        if id(weight) not in self._fresh:
            fan_in = weight[0].numel()
            fan_out = weight.numel() // weight.shape[1]
            w = weight.detach().float()
            largest, spread = float(w.abs().max()), float(w.std())
            # bounds of torch.nn's own start, Xavier's and He's; training crosses them somewhere
            bounds = [(k / n) ** 0.5 for k, n in ((1, fan_in), (6, fan_in + fan_out), (6, fan_in))]
            self._fresh[id(weight)] = any(
                0.95 * b < largest <= 1.0001 * b and abs(spread * 3**0.5 / b - 1) < 0.1
                for b in bounds
            )
        return self._fresh[id(weight)]


@final
class _Sample:
    """What a probed step has put together so far; the numbers stay on the device."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Any]] = {}
        self.depths: list[int] = []
        self.sizes: list[int] = []
        self.weight_sizes: list[int] = []
        self.decays: list[float] = []
        self.fans: list[int] = []
        self.layers: list[int] = []
        self.seen: set[int] = set()
        self.n_rows = 0
        self.no_grad = 0
        self.has_batch_norm = False
        self.output: Any = None
        self.output_grad: Any = None

    def put(self, name: str, values: Iterable[Any]) -> None:
        self.parts.setdefault(name, []).extend(values)


def _named(models: Iterable[Any]) -> list[tuple[Any, int]]:
    """Parameters with their depth: 0, 1, … for weight matrices, -1 for all others."""
    found, depth, seen = [], 0, set()
    for model in models:
        for module in model.modules():
            for p in module.parameters(recurse=False):
                if id(p) in seen:
                    continue
                seen.add(id(p))
                is_weight = p.ndim >= 2 and not isinstance(module, torch.nn.Embedding)
                found.append((p, depth if is_weight else -1))
                depth += is_weight
    return found


def _spread(weights: list[Any], n_most: int) -> list[Any]:
    """Weights of at most `n_most` numbers together, from the first to the last layer."""
    chosen: list[Any] = []
    total = 0
    order = [0, len(weights) - 1, *range(1, len(weights) - 1)]
    for i in dict.fromkeys(i for i in order if 0 <= i < len(weights)):
        if total + weights[i].numel() <= n_most or not chosen:
            chosen.append(weights[i])
            total += weights[i].numel()
    return chosen


def _decay(optimizer: Any, group: Mapping[str, Any]) -> float:  # noqa: ANN401
    """Weight decay; negative, and times the rate, where it acts apart from the gradient."""
    decay = float(group.get("weight_decay", 0) or 0)
    apart = group.get("decoupled_weight_decay") or "AdamW" in type(optimizer).__name__
    return -decay * float(group["lr"]) if apart else decay


def _rows(x: Any, n_most: int) -> Any:  # noqa: ANN401
    """The first rows, so that about `n_most` numbers are left."""
    if x.ndim < 2:
        return x.reshape(1, -1)
    return x[: max(1, n_most * len(x) // max(x.numel(), 1))]


def _tensor(output: Any) -> Any:  # noqa: ANN401
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, tuple | list) and output:
        return _tensor(output[0])
    return getattr(output, "logits", None)


def _output_columns(sample: _Sample, n_most: int) -> list[Any]:
    """Of a classifier's output (n, classes): label, prediction, loss, log Z, sums; else nothing."""
    out, grad = sample.output, sample.output_grad
    if out is None or grad is None or out.shape != grad.shape or out.ndim != 2 or out.shape[1] < 2:
        return []
    out, grad = out[:n_most].float(), grad[:n_most].float()
    size = grad.abs().sum(1)
    # with smoothed labels a sure prediction is pulled back: then the target, softmax minus gradient
    target = (out.softmax(1) - sample.output.shape[0] * grad).argmax(1)
    label = torch.where((grad < 0).sum(1) == 1, grad.argmin(1), target)
    label = torch.where(size > 0, label, out.argmax(1))
    log_z = out.logsumexp(1)
    loss = log_z - out.gather(1, label[:, None])[:, 0]
    balanced = grad.sum(1).abs() <= 1e-3 * size + 1e-12
    return [label, out.argmax(1), loss, log_z, out.sum(1), out.amin(1), balanced]


def _memory_bytes(names: list[tuple[Any, int]]) -> float:
    if names and names[0][0].is_cuda:
        return float(torch.cuda.memory_allocated(names[0][0].device))
    return float(_process().memory_info().rss)


@functools.cache
def _process() -> Any:  # noqa: ANN401  psutil.Process
    import psutil

    return psutil.Process()
