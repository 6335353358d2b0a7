import luthier
from luthier.core.space import make_space

SPACE = make_space({
    "lr": luthier.Float(1e-5, 1e-1, log=True), "betas": (0.9, 0.999), "momentum": 0.9,
    "kernel": (3, 5),
})  # fmt: skip
