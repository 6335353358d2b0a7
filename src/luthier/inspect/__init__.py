"""What a model is made of: counts, sharing, kernels, memory, operations."""
