"""What is wrong with a training, from its curves and probes: `diagnose(evidence)`.

Pure functions of numbers; no framework is known here. One class per entry of the catalogue, in the
file of its family.
"""

from luthier.diagnosis import activations, curves, data, generalization, gradients, hardware
from luthier.diagnosis.evidence import Evidence as Evidence
from luthier.diagnosis.finding import Fact as Fact
from luthier.diagnosis.finding import Finding as Finding
from luthier.diagnosis.finding import Remedy as Remedy
from luthier.diagnosis.finding import Severity as Severity
from luthier.diagnosis.finding import Watcher
from luthier.diagnosis.ranking import rank

WATCHERS: tuple[Watcher, ...] = (
    curves.NonFinite(),
    curves.Divergence(),
    curves.Spikes(),
    gradients.GradientSpike(),
    gradients.AlwaysClipped(),
    curves.EarlyInstability(),
    curves.TooSlow(),
    curves.TooFast(),
    curves.NoisePlateau(),
    curves.NothingLearned(),
    generalization.Underfit(),
    generalization.Overfit(),
    generalization.Overtraining(),
    generalization.DoubleDescent(),
    generalization.NoisyValidation(),
    generalization.ValidationBetter(),
    generalization.TooGood(),
    gradients.VanishingGradient(),
    gradients.ExplodingGradient(),
    activations.DeadUnits(),
    activations.Saturated(),
    activations.BadStart(),
    activations.StartingLoss(),
    gradients.Frozen(),
    gradients.DeadWeights(),
    gradients.DecayRules(),
    data.PartsOfLoss(),
    generalization.MetricMismatch(),
    generalization.TrainEvalGap(),
    data.Imbalance(),
    activations.OneAnswer(),
    activations.OutputDrift(),
    hardware.HalfPrecision(),
    data.InputScale(),
    hardware.LoaderBound(),
    hardware.SlowDown(),
    hardware.MemoryLeak(),
    hardware.Stalled(),
    curves.Periodic(),
    curves.RateExhausted(),
    curves.RateReturns(),
    curves.FineTuningCollapse(),
    curves.StillImproving(),
    data.WrongLabels(),
)


def diagnose(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, that which explains most first; notes after alarms."""
    return rank([f for w in WATCHERS if (f := w.watch(evidence)) is not None])
