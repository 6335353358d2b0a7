"""Which strategy to begin with, and why."""

from dataclasses import dataclass
from typing import Any, final

from luthier.core.errors import OptionError

_BYTES_PER_PARAMETER = 16  # float32: weight 4, gradient 4, Adam's two averages 8
_FREE = 0.8  # of the memory; the rest is for activations and the framework
FEW, MANY = 1_000, 10_000  # examples


@final
@dataclass(frozen=True, slots=True)
class Advice:
    """A strategy with its options and the reasons for it; `luthier explain` opens the ids."""

    strategy: str
    options: dict[str, Any]
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        options = "".join(f", {k}={v!r}" for k, v in self.options.items())
        return "\n".join([f"{self.strategy}{options}", *(f"  - {r}" for r in self.reasons)])


def recommend(
    *,
    n_examples: int,
    domain_distance: str = "near",
    memory_gb: float | None = None,
    n_parameters: int | None = None,
    robust: bool = False,
) -> Advice:
    """A strategy for so many labelled examples of a "near" or "far" domain.

    `memory_gb` of the device is weighed against `n_parameters`, which it then needs. `robust`:
    the network will meet data unlike those it is tuned on.
    """
    if domain_distance not in ("near", "far"):
        raise OptionError(f"domain_distance={domain_distance!r}; expected 'near' or 'far'.")
    if n_examples < 1:
        raise OptionError(f"n_examples={n_examples}; expected 1 or more.")
    near = domain_distance == "near"
    if memory_gb is not None:
        if n_parameters is None:
            raise OptionError("memory_gb without n_parameters; give both, to compare them.")
        needed_gb = n_parameters * _BYTES_PER_PARAMETER / 1e9
        if needed_gb > _FREE * memory_gb:
            return Advice("lora", {"lora_rank": 16}, (
                f"full fine-tuning with Adam needs {needed_gb:.1f} GB beside the activations, "
                f"and there are {memory_gb:g} GB (R5)",
                "low-rank updates need optimizer state for about 1 % of the parameters (lora)",
            ))  # fmt: skip
    if robust:
        return Advice("lp_ft", {"probe_epochs": 2}, (
            "a random head distorts the features that other data need (R3)",
            "probing first keeps them: about 10 % better outside of the distribution (lp_ft)",
        ))  # fmt: skip
    if n_examples < FEW and near:
        return Advice("probe", {}, (
            f"{n_examples} examples bear few free parameters (R2)",
            "the features fit a near domain as they are (R1)",
            "next to try: bitfit",
        ))  # fmt: skip
    if n_examples < MANY and near:
        return Advice("lp_ft", {"probe_epochs": 2}, (
            f"{n_examples} examples can move the features, if the head is ready first (R3)",
            "next to try: layerwise, with a decay of 0.75",
        ))  # fmt: skip
    if n_examples < MANY:
        return Advice("surgical", {"tuned_block": "first", "freeze_bn": n_examples < FEW}, (
            f"{n_examples} examples are too few to train everything (R2)",
            "a far domain often looks different at the input: tune the first block (R7); "
            "where the meaning differs rather than the look, the middle or the last",
            "few data give poor statistics to BatchNorm (R6)" if n_examples < FEW
            else "statistics of BatchNorm may follow the new domain (R6)",
        ))  # fmt: skip
    return Advice("full", {"head_lr_factor": 10.0}, (
        f"{n_examples} examples are enough to train everything (14.10)",
        "at a tenth to a hundredth of the rate from scratch, with warm-up (full_fine_tuning)",
    ))  # fmt: skip
