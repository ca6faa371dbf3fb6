"""Numbers for people: every prefix, both ends of a range, parts of one."""

import pytest

from neurossm.energy import Interval
from neurossm.report.units import percent, si, si_range

# prefixes of the SI brochure, from femto to giga
PREFIXES = {
    "2.50e-15": "fJ", "2.50e-12": "pJ", "2.50e-9": "nJ", "2.50e-6": "µJ", "2.50e-3": "mJ",
    "2.50": "J", "2.50e3": "kJ", "2.50e6": "MJ", "2.50e9": "GJ",
}  # fmt: skip


@pytest.mark.parametrize("value", PREFIXES)
def test_each_prefix_is_that_of_its_power(value):
    assert si(float(value), "J") == f"2.50 {PREFIXES[value]}"
    hundred = f"{value.split('e')[0]}e{int(value.partition('e')[2] or 0) + 2}"
    assert si(float(hundred), "J") == f"250 {PREFIXES[value]}"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (2e-7, 3.4e-6, "0.200 to 3.40 µJ"),  # both in the prefix of the higher end
        (9.5e-4, 8.8e-3, "0.950 to 8.80 mJ"),
        (9.9e-9, 9.8e-7, "9.90 to 980 nJ"),
        (1e-6, 9.99e-5, "1.00 to 99.9 µJ"),  # within two decades
        (1e-6, 1e-4, "1.00 µJ to 100 µJ"),  # two decades: each has its own
        (5e-7, 6e-4, "500 nJ to 600 µJ"),
    ],
)
def test_a_range_has_one_prefix_or_two_that_are_right(low, high, said):
    assert si_range(Interval(low, high), "J") == said


def test_parts_of_one_have_two_digits():
    assert [percent(value) for value in (0.99241, 0.5, 0.00005, 1)] == [
        "99.24%", "50.00%", "0.01%", "100.00%",
    ]  # fmt: skip
