import luthier

SPACE = luthier.Space({
    "kernel": luthier.Choice(3, 4, 5),  # L72
    "stem_kernel_size": luthier.Int(2, 7),  # L72
})  # fmt: skip
