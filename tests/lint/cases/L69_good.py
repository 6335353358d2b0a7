import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 1e-1, log=True), "weight_decay": luthier.Float(0.0, 0.1),
})  # fmt: skip
