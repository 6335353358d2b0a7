import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1, log=True, tier=2),
    "n_layers": luthier.Int(1, 8, tier=1),  # L48
})  # fmt: skip
