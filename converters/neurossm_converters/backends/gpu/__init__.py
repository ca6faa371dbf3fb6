"""A GPU as an executor: PyTorch for what remembers nothing, Triton for recurrences; the same bits.

Importing this imports neither. `program.Program` runs a graph on tensors that are on the device
already; `executor.GPU` is what ``--engine gpu`` runs.
"""
