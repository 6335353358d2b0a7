import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-4, 100.0, log=True),  # L70
    "dropout": luthier.Float(0.0, 0.9),  # L70
    "batch_size": luthier.Choice(64, 65536),  # L70
})  # fmt: skip
