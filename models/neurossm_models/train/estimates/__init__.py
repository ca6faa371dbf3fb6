"""Estimates of a training before it starts: parameters, memory, steps."""

from neurossm_models.train.estimates.estimate import Estimate, in_words
from neurossm_models.train.estimates.estimating import estimate
from neurossm_models.train.estimates.refusing import check_room

__all__ = ["Estimate", "check_room", "estimate", "in_words"]
