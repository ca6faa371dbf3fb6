"""Kernels for GPUs, written in Triton: the exact neuron, and norm, recurrence and neuron in one.

Time is a loop in a kernel: one launch runs all steps of a layer, and the lanes of the GPU are the
sequences and features side by side. What the kernels compute is written in PyTorch's terms in
`neurossm_models.neurons.lif` and `neurossm_models.recurrence`.

- `setting`: where the kernels run, and the refusals of where they do not;
- `neuron`: the neuron alone; `given`: at spikes that are known;
- `layer`: the recurrence, with a norm in front of it and neurons behind it where there are;
- `norm`: the statistics of that norm, and its gradient;
- `kernels`: what they run.
"""
