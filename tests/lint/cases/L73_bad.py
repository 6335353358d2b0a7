import luthier
from luthier.core.space import make_space

SPACE = make_space({
    "lr": (1e-5, 1e-1),  # L73
    "batch_size": (16, 128),  # L73
    "width": luthier.Int(16, 64),
})  # fmt: skip
