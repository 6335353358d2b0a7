"""What a search was asked for, checked: OptionError says which option, and what was expected."""

from luthier.contracts import Policy
from luthier.core.budget import Budget, parse_seconds
from luthier.core.choose import MODES
from luthier.core.errors import OptionError


def checked_mode(mode: str | None, children: int | None, policy: str | Policy | None) -> str | None:
    """The mode that was asked for."""
    if children is not None and not (isinstance(children, int) and children >= 1):
        raise OptionError(f"children={children!r}; expected a whole number from 1 up.")
    if mode not in (None, *MODES):
        raise OptionError(f"mode={mode!r}; expected one of {MODES}.")
    if children is not None and mode not in (None, "children"):
        raise OptionError(f"children={children} with mode={mode!r}; give one of them.")
    mode = "children" if children is not None else mode
    if mode is not None and policy is not None:
        raise OptionError(f"mode={mode!r} with a policy, which is a choice already; give one.")
    return mode


def checked_budget(
    time: str | float | None, trials: int | None, steps: float | None, children: int | None
) -> Budget:
    """The end of the search; so many children are one."""
    budget = Budget(parse_seconds(time) if time is not None else None, trials, steps)
    if budget == Budget() and children is not None:
        budget = Budget(n_trials=children)
    if budget == Budget():
        raise OptionError(
            "a search without an end; give --time 10m, --trials 50 or --steps 1000 (search: "
            'time="10m", trials=50 or steps=1000).'
        )
    return budget


def check_whole(**options: int | None) -> None:
    """Whole numbers, or nothing."""
    for option, value in options.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise OptionError(f"{option}={value!r}; expected a whole number.")


def check_positive(**options: float | None) -> None:
    """Numbers above 0, or nothing."""
    for option, value in options.items():
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise OptionError(f"{option}={value}; expected more than 0, or nothing.")


def checked_timeout(timeout: str | float | None) -> float | None:
    """Seconds a run may take."""
    limit_s = parse_seconds(timeout) if timeout is not None else None
    if limit_s is not None and not limit_s > 0:
        raise OptionError(f"timeout={timeout!r}; expected more than 0 seconds.")
    return limit_s


def checked_length(max_steps: int | None) -> int | None:
    """Steps of a full training."""
    if max_steps is not None and not (isinstance(max_steps, int) and max_steps >= 1):
        raise OptionError(f"max_steps={max_steps!r}; expected a whole number from 1 up.")
    return max_steps
