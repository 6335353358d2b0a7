import luthier

SPACE = luthier.Space({
    "kernel": luthier.Choice(3, 5, (7, 1)), "stem_kernel_size": luthier.Int(3, 7, step=2),
})  # fmt: skip
