from luthier.core.space import make_space

TRIALS = 5
space = make_space({"lr": 0.1, "width": 64})  # L74
SPACE = space
