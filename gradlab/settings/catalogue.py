"""Which settings belong together."""

GROUPS: dict[str, tuple[str, ...]] = {
    "network": ("cell", "depth", "hidden_size", "input_size", "initialization", "gain", "forget_bias"),
    "sequence": ("steps", "batch_size", "inputs", "text"),
    "loss": ("loss", "loss_step", "loss_steps", "reads", "writes", "objective", "output_size"),
    "truncation": ("truncation", "k1", "k2"),
    "numerics": ("seed", "dtype"),
}
