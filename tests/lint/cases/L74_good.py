import luthier
from luthier.core.space import make_space

SPACE = make_space({"lr": luthier.Float(1e-5, 1e-1, log=True), "width": 64})
TRIALS = 5
