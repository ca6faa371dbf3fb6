"""The Triton kernels; these modules alone import Triton, when the first one runs.

- `neuron`, of `neuron_steps`: the neuron alone;
- `layer_forward`, `layer_backward`, of `recurrence` and `neuron_steps`: norm, recurrence, neuron;
- `norm`: the gradient of the norm, which needs sums over all of a feature first.
"""
