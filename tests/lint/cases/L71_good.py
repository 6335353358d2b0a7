import luthier
from luthier.core.space import make_space

SPACE = make_space({"lr": luthier.Float(1e-4, 1e-1, log=True), "seed": 3})
