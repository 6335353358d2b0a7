import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1, log=True),
    "seed": luthier.Int(0, 100),  # L71
})  # fmt: skip
