"""The user's training function, found by the text that names it.

`train.py`, `train.py:train`, `package.module:train`, or `pickle:FILE` for a function that lives in
no file (a notebook).
"""

import contextlib
import importlib
import importlib.util
import pickle
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from luthier.core.errors import LuthierError, TargetError, TrainingError

TrainFunction = Callable[[Any], object]
_HERE = str(Path(__file__).resolve().parent.parent)


def load_target(target: str) -> Any:  # noqa: ANN401  a tunable, or a plain function
    """What `target` names; TargetError when it is not there, TrainingError when its code raises."""
    if target.startswith("pickle:"):
        path = Path(target.removeprefix("pickle:"))
        try:
            with path.open("rb") as file:
                return pickle.load(file)
        except Exception as error:
            raise TrainingError(
                f"the function in {path} cannot be loaded: {type(error).__name__}: {error}.",
                user_traceback(error),
            ) from error
    source, name = _parts(target)
    module = load_module(source)
    if name:
        if not hasattr(module, name):
            raise TargetError(f"{source} has no {name!r}; it has {_tunables(module) or 'none'}.")
        return getattr(module, name)
    found = _tunables(module)
    if len(found) != 1:
        told = f" ({', '.join(found)})" if found else ""
        raise TargetError(
            f"{source} has {len(found)} functions under @luthier.tune{told}; expected one. "
            + (f"Say which: {source}:{found[0]}" if found else "Put @luthier.tune(…) above it.")
        )
    return getattr(module, found[0])


def function_of(loaded: Any) -> TrainFunction:  # noqa: ANN401
    """The plain function behind a tunable."""
    function: TrainFunction = getattr(loaded, "function", loaded)
    return function


def user_traceback(error: BaseException) -> str:
    """The traceback without Luthier's own frames at its top."""
    trace: TracebackType | None = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename.startswith((_HERE, "<frozen importlib")):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _place(error: BaseException) -> str:
    """The innermost line of the user's that led to an error: "train.py, line 7: "."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_HERE, "<"))  # "<": code that was made
    ]  # fmt: skip
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""


def _tunables(module: ModuleType) -> list[str]:
    return [name for name, it in vars(module).items() if getattr(it, "is_luthier_tunable", False)]


def load_module(source: str) -> ModuleType:
    """The script or module `source`; TargetError when it is not there."""
    path = Path(source)
    if path.is_dir() and not source.isidentifier():  # else it may be a package
        raise TargetError(f"{source!r} is a folder; give the path of a Python script in it.")
    is_file = source.endswith(".py") or path.is_file()
    if is_file and not path.is_file():
        raise TargetError(f"no file {source!r} in {Path.cwd()}; give the path of a Python script.")
    try:
        return _load_file(path.resolve()) if is_file else importlib.import_module(source)
    except ModuleNotFoundError as error:
        if not is_file and error.name and source.startswith(error.name):
            raise TargetError(
                f"{source!r} is neither a file nor a module; give a script such as train.py."
            ) from error
        raise TrainingError(
            f"importing {source} failed: {error}.", user_traceback(error)
        ) from error
    except (TargetError, TrainingError):
        raise
    except LuthierError as error:  # its own words and code say what to do; it lacks the place
        error.args = (f"{_place(error)}{error.args[0]}", *error.args[1:])
        raise
    except SystemExit as error:
        raise TrainingError(
            f"importing {source} ended the program ({error.code}): a script that reads its command "
            'line is given none here; put that under `if __name__ == "__main__":`.',
            user_traceback(error),
        ) from error
    except Exception as error:
        raise TrainingError(
            f"importing {source} failed: {type(error).__name__}: {error}", user_traceback(error)
        ) from error


def arguments_of(target: str) -> list[str]:
    """The command line of a script that runs now, for its workers; none for another script."""
    return sys.argv[1:] if Path(sys.argv[0]).resolve() == _file_of(target) else []


def take_arguments(target: str, arguments: list[str]) -> None:
    """Be the script to the code that reads `sys.argv`."""
    sys.argv = [str(_file_of(target)), *arguments]


def _file_of(target: str) -> Path:
    return Path(_parts(target)[0]).resolve()


def _parts(target: str) -> tuple[str, str]:
    """Script or module, and the name in it or ""; a folder may have a colon in its name."""
    source, _, name = target.rpartition(":")
    return (target, "") if not source or "/" in name or name.endswith(".py") else (source, name)


@contextlib.contextmanager
def _as_the_script(path: Path) -> Iterator[None]:
    """Code that reads `sys.argv` finds no options of ours; what it prints is no output of ours."""
    before = sys.argv
    if Path(before[0]).resolve() != path:
        sys.argv = [str(path)]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.argv = before


def _load_file(path: Path) -> ModuleType:
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = _module_name(path)
    if (known := sys.modules.get(name)) is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is no Python script.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _as_the_script(path):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _module_name(path: Path) -> str:
    """The name an import would give the script, unless that is another file's name."""
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return path.stem
    if loaded is None and path.stem.isidentifier():
        found = importlib.util.find_spec(path.stem)
        if found is not None and found.origin == str(path):
            return path.stem
    return f"luthier_script_{path.stem}_{zlib.crc32(str(path).encode()):08x}"
