"""How the values of a training part become the integers of an input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Scaling
from neurossm_models.data.own.statistics import Statistics

STANDARD, SCALE = "standard", "scale"
NORMALIZE = (STANDARD, SCALE)
AUTO, YES, NO = "auto", "yes", "no"
PER_CHANNEL = (AUTO, YES, NO)
HEADROOM = 2  # times the largest value of the training part, before later ones saturate
CENTERED = 0.1  # deviations that a mean may be off 0 without being taken away
UNLIKE = 4.0  # times that deviations, or deviations that means, differ among unlike channels

Reals = NDArray[np.float64]


def scaling_of(found: Statistics, bits: int, per_channel: str, normalize: str) -> Scaling:
    """Return the scaling that the statistics of a training part ask for.

    Whole numbers that fit stay what they are, and the network takes the largest magnitude for 1.
    Other values lose their mean, unless it is within a tenth of a deviation of 0, and the network
    takes a standard deviation for 1; the largest distance from the mean is half of the range of
    the integers, which leaves what comes later twice that. A channel that is constant becomes 0.

    Parameters
    ----------
    found
        Of the training part.
    bits
        Magnitude bits of the integers.
    per_channel
        ``"yes"``, ``"no"``, or ``"auto"``: where the channels are unlike (`unlike_channels`).
    normalize
        ``"standard"``, or ``"scale"``: as above, but no mean is taken away.
    """
    apart = per_channel == YES or (per_channel == AUTO and unlike_channels(found))
    each = found if apart else found.pooled()
    largest = np.maximum(np.abs(each.low), np.abs(each.high))
    every = np.ones(len(found.mean))
    if found.whole and float(largest.max()) <= 2**bits - 1:
        scale = 1 / np.where(largest > 0, largest, 1.0)
        return Scaling(every, 0 * every, scale * every, bits)
    offset = np.where(np.abs(each.mean) < CENTERED * each.std, 0.0, each.mean)
    if normalize == SCALE:
        offset = np.zeros_like(offset)
    constant = each.low == each.high
    offset = np.where(constant & (normalize == STANDARD), each.low, offset)
    reach = np.maximum(np.abs(each.low - offset), np.abs(each.high - offset))
    reach = np.where(reach > 0, reach, 2.0**bits / HEADROOM)
    deviation = np.where(constant, reach, each.std)
    unit = HEADROOM * reach / 2.0**bits
    scale = np.where(constant & (normalize == STANDARD), 1.0, unit / deviation)
    return Scaling(unit * every, offset * every, scale * every, bits)


def unlike_channels(found: Statistics) -> bool:
    """Tell whether channels differ so much that one scale would drown some of them.

    Deviations more than fourfold apart, or means more than four of the largest deviation.
    """
    moving = found.std[found.low < found.high]
    if len(found.mean) == 1 or not len(moving):
        return False
    if float(moving.max()) > UNLIKE * float(moving.min()):
        return True
    return float(np.ptp(found.mean)) > UNLIKE * float(moving.max())
