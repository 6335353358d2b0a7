import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1),  # L69
})  # fmt: skip
