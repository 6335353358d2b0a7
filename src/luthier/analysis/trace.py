"""The data flow of a real forward pass: which call's output another call read.

Three recorders run together. Hooks know which module is running; a function mode knows which torch
function the code called, with its arguments and line; a dispatch mode sees every operator and so
what became of every tensor, whatever the control flow. Operators of one module of torch, or of one
function, are one `Call`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from luthier.analysis import kinds
from luthier.analysis.sites import Site, calling_site


@final
@dataclass(slots=True)
class Call:
    """One module call or function call. `inputs`: indices of the calls whose outputs it read."""

    index: int
    kind: str  # a word of analysis/kinds.py; "input" and "parameter" for what came from outside
    name: str  # class or function
    path: str  # of the innermost module, "" for the root
    module: Any = None  # of the traced copy, where the call is a module's
    site: Site | None = None  # of a function call; modules are looked up by what made them
    inputs: list[int] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    in_shapes: list[tuple[int, ...]] = field(default_factory=list)
    out_shape: tuple[int, ...] = ()
    floating: bool = True  # whether the output is; indices carry no gradient
    value: float | None = None  # of a scalar output


@final
@dataclass(frozen=True, slots=True)
class LossCall:
    """A loss function as it was called, noted before it ran, so that a failing one is here too."""

    name: str
    path: str
    site: Site | None
    source: int | None  # call that made the prediction
    prediction_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    low: float  # of the prediction
    high: float
    rows_sum_to_one: bool
    exp_rows_sum_to_one: bool
    target_low: float
    target_high: float
    target_is_index: bool
    options: Mapping[str, Any]
    index: int | None  # the call itself, None when it failed


@final
@dataclass(slots=True)
class Trace:
    """Every call in the order of the run."""

    calls: list[Call] = field(default_factory=list)
    losses: list[LossCall] = field(default_factory=list)
    module_calls: dict[str, int] = field(default_factory=dict)  # path -> how often it was called
    error: str = ""  # what ended the run early
    output: Any = None
    loss: Any = None
    _consumers: dict[int, list[Call]] | None = None

    def of(self, *wanted: str) -> Iterator[Call]:
        """The calls of these kinds."""
        return (call for call in self.calls if call.kind in wanted)

    def consumers(self, call: Call) -> list[Call]:
        """The calls that read its output."""
        if self._consumers is None:
            self._consumers = {}
            for reader in self.calls:
                for index in reader.inputs:
                    self._consumers.setdefault(index, []).append(reader)
        return self._consumers.get(call.index, [])

    def producers(self, call: Call) -> list[Call]:
        """The calls whose output it read."""
        return [self.calls[index] for index in call.inputs]

    def forward(
        self, start: Call, through: Callable[[Call], bool]
    ) -> Iterator[tuple[Call, tuple[Call, ...]]]:
        """Every call reached from `start`, each once, with the way to it; goes on where allowed."""
        waiting: list[tuple[Call, tuple[Call, ...]]] = [(start, ())]
        seen = {start.index}
        while waiting:
            call, way = waiting.pop(0)
            for reader in self.consumers(call):
                if reader.index not in seen:
                    seen.add(reader.index)
                    yield reader, way
                    if through(reader):
                        waiting.append((reader, (*way, reader)))

    def prediction(self, loss: LossCall) -> Call | None:
        """The call that made what a loss was fed."""
        return self.calls[loss.source] if loss.source is not None else None

    def source(self, call: Call | None, *skip: str) -> Call | None:
        """The call that made what `call` holds, calls of the kinds `skip` being looked through."""
        while call is not None and call.kind in skip:
            made = self.producers(call)
            call = made[0] if made else None
        return call


@final
class _Frame:
    """A module or a function that is running."""

    __slots__ = ("args", "call", "kind", "module", "name", "options", "path", "site")

    def __init__(self, path: str, name: str, kind: str | None, module: Any = None) -> None:  # noqa: ANN401
        self.path, self.name, self.kind, self.module = path, name, kind, module
        self.args: Sequence[Any] = ()
        self.options: Mapping[str, Any] = {}
        self.site: Site | None = None
        self.call: Call | None = None


@final
class Recorder:
    """Collects a Trace while the block of `recording` runs."""

    def __init__(self, model: Any, loss: Any = None) -> None:  # noqa: ANN401
        self.trace = Trace()
        self._paths = {id(module): path for path, module in model.named_modules()}
        if isinstance(loss, torch.nn.Module):
            for path, module in loss.named_modules():
                self._paths.setdefault(id(module), "loss" + (f".{path}" if path else ""))
        self._frames: list[_Frame] = []
        self._made: dict[int, int] = {}  # id of a tensor -> index of the call that made it
        self._views: dict[tuple[Any, ...], int] = {}
        self._paused = False  # while Luthier itself computes
        self._kept: list[Any] = []  # an id is one tensor's only while that tensor lives
        self._buffers = {id(buffer) for buffer in model.buffers()}  # kept between calls: no flow
        for name, parameter in model.named_parameters():
            self._outside(parameter, "parameter", name)

    def note_inputs(self, inputs: Any) -> None:  # noqa: ANN401
        """Make the tensors of the batch calls of their own."""
        for number, tensor in enumerate(t for t in tree_leaves(inputs) if _is_tensor(t)):
            self._outside(tensor, "input", str(number))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the calls of the block."""
        before = hooks.register_module_forward_pre_hook(self._enter)
        after = hooks.register_module_forward_hook(self._leave, always_call=True)
        try:
            with _Functions(self), _Operators(self):
                yield
        finally:
            before.remove()
            after.remove()
            self._kept.clear()
            self._finish()

    def _outside(self, tensor: Any, kind: str, name: str) -> None:  # noqa: ANN401
        call = Call(
            len(self.trace.calls),
            kind,
            name,
            "",
            out_shape=tuple(tensor.shape),
            floating=tensor.is_floating_point(),
        )
        self.trace.calls.append(call)
        self._remember(tensor, call.index)

    def _enter(self, module: Any, args: Any) -> None:  # noqa: ANN401
        path = self._paths.get(id(module))
        if path is None:
            path = self._path
        else:
            self.trace.module_calls[path] = self.trace.module_calls.get(path, 0) + 1
        inside = self._atomic is not None
        kind = None if inside else kinds.kind_of_module(module)
        frame = _Frame(path, type(module).__name__, kind, module)
        self._frames.append(frame)
        if kind is not None:
            self._open(frame)

    def _leave(self, module: Any, args: Any, output: Any) -> None:  # noqa: ANN401
        while self._frames:
            frame = self._frames.pop()
            if frame.module is module:
                break
        if frame.call is not None:
            self._pass_through(frame.call, args, output)

    def _pass_through(self, call: Call, args: Any, output: Any) -> None:  # noqa: ANN401
        """A module that ran no operator (dropout of rate 0) still stands between two others."""
        tensors = [t for t in tree_leaves(output) if _is_tensor(t)]
        if tensors and not call.operators:
            for tensor in tree_leaves(args):
                made = self._maker(tensor) if _is_tensor(tensor) else None
                if made is not None and made != call.index:
                    call.inputs.append(made)
                    call.in_shapes.append(tuple(tensor.shape))
            call.out_shape = tuple(tensors[0].shape)
            self._remember(tensors[0], call.index)

    @property
    def _path(self) -> str:
        return self._frames[-1].path if self._frames else ""

    @property
    def _atomic(self) -> _Frame | None:
        """The module or function whose operators are one call."""
        for frame in reversed(self._frames):
            if frame.call is not None or frame.module is None:
                return frame
        return None

    def _open(self, frame: _Frame) -> Call:
        call = Call(
            len(self.trace.calls),
            frame.kind or "",
            frame.name,
            frame.path,
            frame.module,
            frame.site,
        )
        if call.kind == "dropout" and frame.module is None:
            call.options["p"] = kinds.dropout_probability(frame.name, frame.args, frame.options)
        if call.kind == "convolution" and frame.module is None:
            call.options |= kinds.convolution_sizes(frame.args, frame.options)
        if frame.module is None:
            call.options |= {k: v for k, v in frame.options.items() if _is_plain(v)}
        self.trace.calls.append(call)
        frame.call = call
        return call

    def function(self, func: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Run one torch function; called by the function mode."""
        name = getattr(func, "__name__", str(func))
        if name in ("__get__", "__set__"):
            return func(*args, **options)
        kind = kinds.kind_of_function(name)
        site = calling_site(sys._getframe(2)) if self._atomic is None or kind == "loss" else None
        noted = self._note_loss(name, site, args, options) if kind == "loss" else None
        if self._atomic is not None:
            result = func(*args, **options)
            frame = self._atomic
        else:
            frame = _Frame(self._path, name, kind)
            frame.args, frame.options, frame.site = args, options, site
            self._frames.append(frame)
            try:
                result = func(*args, **options)
            finally:
                self._frames.pop()
        if noted is not None and frame.call is not None:
            self.trace.losses[-1] = noted(frame.call.index)
        return result

    def operator(self, func: Any, args: Any, options: Any) -> Any:  # noqa: ANN401
        """Run one operator; called by the dispatch mode."""
        result = func(*args, **options)
        if self._paused:
            return result
        frame = self._atomic
        if frame is None:
            frame = _Frame(self._path, func.__name__, None)
        call = frame.call or self._open(frame)
        call.operators.append(func.overloadpacket.__name__)
        for tensor in tree_leaves((args, options)):
            if _is_tensor(tensor):
                made = self._maker(tensor)
                if made is not None and made != call.index and made not in call.inputs:
                    call.inputs.append(made)
                    call.in_shapes.append(tuple(tensor.shape))
        outputs = [t for t in tree_leaves(result) if _is_tensor(t)]
        for tensor in (*outputs, *_written(func, args, options)):
            self._remember(tensor, call.index)
        if outputs:
            call.out_shape = tuple(outputs[0].shape)
            call.floating = outputs[0].is_floating_point()
            if call.floating and outputs[0].numel() == 1 and outputs[0].device.type != "meta":
                call.value = float(outputs[0])
        return result

    def _remember(self, tensor: Any, index: int) -> None:  # noqa: ANN401
        if id(tensor) in self._buffers:
            return
        self._made[id(tensor)] = index
        self._kept.append(tensor)
        if (view := _view(tensor)) is not None:
            self._views[view] = self._views[view[:1]] = index

    def _maker(self, tensor: Any) -> int | None:  # noqa: ANN401
        """By identity, else by memory: autograd may hand out another object for the same view."""
        made = self._made.get(id(tensor))
        if made is None and (view := _view(tensor)) is not None:
            made = self._views.get(view, self._views.get(view[:1]))
        return made

    def _note_loss(
        self, name: str, site: Site | None, args: Sequence[Any], options: Mapping[str, Any]
    ) -> Callable[[int | None], LossCall] | None:
        tensors = [t for t in args[:2] if _is_tensor(t)]
        if len(tensors) < 2 or not tensors[0].is_floating_point() or not tensors[0].numel():
            return None
        self._paused = True
        with torch._C.DisableTorchFunction(), torch.no_grad():
            prediction, target = (t.detach().double() for t in tensors)
            rows = prediction.dim() > 1 and prediction.shape[1] > 1
            sums, exps = (p.sum(1) if rows else p for p in (prediction, prediction.exp()))
            facts: dict[str, Any] = {
                "name": name,
                "path": self._path,
                "site": site,
                "source": self._maker(tensors[0]),
                "prediction_shape": tuple(prediction.shape),
                "target_shape": tuple(target.shape),
                "low": float(prediction.min()),
                "high": float(prediction.max()),
                "rows_sum_to_one": rows and _all_one(sums),
                "exp_rows_sum_to_one": rows and _all_one(exps),
                "target_low": float(target.min()) if target.numel() else 0.0,
                "target_high": float(target.max()) if target.numel() else 0.0,
                "target_is_index": not tensors[1].is_floating_point(),
                "options": {k: v for k, v in options.items() if _is_plain(v)},
            }

        self._paused = False

        def noted(index: int | None) -> LossCall:
            return LossCall(**facts, index=index)

        self.trace.losses.append(noted(None))
        return noted

    def _finish(self) -> None:
        for call in self.trace.calls:
            if not call.kind:
                call.kind = kinds.kind_of_operators(call.operators)


class _Functions(TorchFunctionMode):  # type: ignore[misc]
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        return self._recorder.function(func, args, kwargs or {})


class _Operators(TorchDispatchMode):  # type: ignore[misc]
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        return self._recorder.operator(func, args, kwargs or {})


def _written(func: Any, args: Any, options: Any) -> list[Any]:  # noqa: ANN401
    """The arguments that an operator changes in place."""
    found = []
    for number, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[number] if number < len(args) else options.get(argument.name)
            found += [t for t in tree_leaves(value) if _is_tensor(t)]
    return found


def _view(tensor: Any) -> tuple[Any, ...] | None:  # noqa: ANN401
    try:
        storage = tensor.untyped_storage()._cdata
        return storage, tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
    except (RuntimeError, NotImplementedError):  # sparse and other tensors without one memory
        return None


def _all_one(values: Any) -> bool:  # noqa: ANN401
    return bool(torch.allclose(values, torch.ones_like(values), atol=1e-3))


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, int | float | str | bool)
