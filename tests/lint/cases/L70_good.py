import luthier

SPACE = luthier.Space({
    "lr": luthier.Float(1e-5, 1.0, log=True), "dropout": luthier.Float(0.0, 0.5),
    "batch_size": luthier.Choice(16, 1024), "momentum": luthier.Float(0.5, 0.99),
})  # fmt: skip
