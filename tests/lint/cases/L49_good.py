import luthier

TRIALS = 60
SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1, log=True), "width": luthier.Int(8, 64),
    "dropout": luthier.Float(0.0, 0.5),
})  # fmt: skip
