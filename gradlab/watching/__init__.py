"""Watching a PyTorch model while it trains: what goes into its recurrent parts, and what gradients come back.

parts       the recurrent parts of a model, by their paths
layouts     how a module's tensors lie: steps first, a sample of the batch
calls       one forward call of a part, and the gradients that come in
chains      calls that follow each other by the state that one hands to the next
passes      calls joined into a sequence: the trace of it, by the engine or from autograd
measured    a trace of what autograd itself gave
flow        `watch`: the hooks, and what they noted
marks       `mark`: any tensor of any architecture
log         records of a whole training, in a file

Nothing here changes a bit of the model. A forward hook of a module reads and returns nothing; gradients are read where
they enter a node of the graph (`Node.register_prehook`), in the order in which autograd adds them up anyway, so no
tensor has a hook and no operation is added. What stands in a node's `metadata` goes with the graph.
"""
