"""Ready-made hooks for other libraries, a few lines each on top of `watch`. None of these libraries is required.

lightning               GradientFlow, a callback of PyTorch Lightning
hugging_face            GradientFlow, a callback of Hugging Face's Trainer
tensorboard             TensorBoard, what `watch` writes to
weights_and_biases      WeightsAndBiases, likewise

A callback begins to watch when the training begins. What it sees are the gradients that come into the recurrent parts:
before any clipping, and divided by the scale of a GradScaler.
"""
