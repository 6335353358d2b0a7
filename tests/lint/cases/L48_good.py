import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1, log=True),  # known to come first
    "n_layers": luthier.Int(1, 8),
})  # fmt: skip
