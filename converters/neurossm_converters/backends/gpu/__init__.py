"""A GPU as an executor: PyTorch for nodes without state, Triton for recurrences; bit-exact.

Importing this imports neither. `program.Program` runs a graph on tensors that are on the device
already; `executor.GPU` is what ``--engine gpu`` runs.
"""
