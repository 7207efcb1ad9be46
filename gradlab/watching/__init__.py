"""Watching a PyTorch model while it trains: what goes into its recurrent parts, and what gradients come back.

parts       the recurrent parts of a model, by their paths
layouts     how a module's tensors lie: steps first, a sample of the batch
graph       autograd's graph: which call made a tensor, what depends on it, who reads it
calls       one forward call of a part, and the gradients that come in
measured    a trace of what autograd itself gave
passes      calls that follow each other by their states, as one sequence: its trace, by the engine or from autograd
marks       `mark`: any tensor of any architecture
flow        the hooks in a model, and what they noted
log         records of a whole training, in a file
network     the network that a watch saw last, beside its log
watch       `watch`, and the cheap mode for a whole training
callbacks   hooks for Lightning, Hugging Face's Trainer, TensorBoard and Weights & Biases

Nothing here changes a bit of the model. A forward hook of a module reads and returns nothing; gradients are read where
they enter a node of the graph (`Node.register_prehook`), in the order in which autograd adds them up anyway, so no
tensor has a hook and no operation is added. What stands in a node's `metadata` goes with the graph.
"""
