"""Derivative of straight segments, element by element; float32, flat."""

from __future__ import annotations

from neurossm.compiling import njit


@njit(cache=True, nogil=True)
def scale_by_slope(grad, x, knots, slopes, out):
    """Write grad times the slope of the segment of x: that of as many knots as are at or below."""
    for i in range(len(x)):
        slope = slopes[0]
        for k in range(len(knots)):
            slope = slopes[k + 1] if x[i] >= knots[k] else slope
        out[i] = grad[i] * slope
