"""The report as a value: what its accuracy says of other samples."""

import pytest
from scipy.stats import binomtest

from neurossm.report import Accuracy


@pytest.mark.parametrize(("right", "samples"), [(90, 100), (9924, 10_000), (0, 20), (20, 20)])
def test_the_interval_is_wilsons_of_95_per_cent(right, samples):
    accuracy = Accuracy(data="some", samples=samples, integer=right / samples)
    low, high = accuracy.interval
    expected = binomtest(right, samples).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-7)
    assert accuracy.right == right
