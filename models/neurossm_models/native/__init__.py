"""Loops that NumPy and PyTorch lack, compiled by Numba; plain arrays in and out.

None of them starts threads of its own: `neurossm_models.chain` runs them on parts of the features,
one part a thread. What they do in PyTorch's terms is written in `neurossm_models.stages`.
"""
