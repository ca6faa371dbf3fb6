"""Straight-through estimator (STE): integer values forward, surrogate derivatives backward.

Every operation here takes its value from the run of the integer engine and contributes its
derivative at that point, with the rounded parameters (straight-through estimation, Bengio,
Leonard, Courville, arXiv 1308.3432). So the forward pass is the integer network, and gradients
reach the live parameters through rounding, folding and discretization as if rounding were the
identity.
"""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_models.ste.network import READOUTS, check_forms, ste_outputs

__all__ = ["READOUTS", "check_forms", "ste_outputs"]
