import luthier

TRIALS = 8


def make() -> luthier.Space:
    return luthier.Space(domains={
        "lr": luthier.Float(1e-4, 1e-1, log=True), "width": luthier.Int(8, 64),
        "dropout": luthier.Float(0.0, 0.5),
    })  # fmt: skip


space = make()  # L49
SPACE = space
