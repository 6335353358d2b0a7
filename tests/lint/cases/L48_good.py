import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1, log=True, tier=1),
    "n_layers": luthier.Int(1, 8, tier=3),
})  # fmt: skip
