"""Rules of complex poles as integers, which several nodes have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurossm.fixed import POLE_BITS, Quantized
from neurossm.nodes.arriving import Finding, same


def pole_findings(a_re: Quantized, a_im: Quantized) -> Iterator[Finding]:
    """Yield what breaks the rules of poles: width, exponent, inside the unit circle."""
    for pole in (a_re, a_im):
        if pole.bits > POLE_BITS or pole.bits != a_re.bits:
            yield f"poles of at most {POLE_BITS} bits", f"{pole.bits} bits"
        yield from same("pole exponent", a_re.bits - 1, pole.frac)
    if np.any(a_re.values**2 + a_im.values**2 >= 2 ** (2 * (a_re.bits - 1))):
        yield "poles inside the unit circle", "one on or outside it"
