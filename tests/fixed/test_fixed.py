"""The integer primitives, from their definition in the contract; Python integers are the judge."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import QUICK

from neurossm.errors import RangeError
from neurossm.fixed import (
    Fixed,
    Quantized,
    accumulator_bound,
    ceil_to,
    compiled,
    fit_frac,
    multiply_shift,
    project_poles,
    round_inside,
    round_leaks,
    round_to,
    saturate,
    shift,
    symmetric_limit,
)


def toward_zero(value: int, right: int) -> int:
    """Return ``value * 2**-right`` without its fraction, in integers of any size."""
    exact = Fraction(value) / Fraction(2) ** right
    return math.trunc(exact)


@pytest.mark.parametrize(
    ("value", "right", "expected"),
    [
        (5, 1, 2),  # 2.5
        (-5, 1, -2),  # -2.5, the floor would be -3
        (-7, 1, -3),  # -3.5, the nearest would be -4
        (-4, 1, -2),  # exact
        (-1, 1, 0),  # -0.5, the floor would stay at -1 for ever
        (7, 2, 1),  # 1.75, the nearest would be 2
        (0, 5, 0),
        (3, 0, 3),
        (3, -4, 48),  # left: 3 * 16
        (-3, -4, -48),
        (2**62 - 1, 61, 1),
        (2**61, 62, 0),  # 0.5
        (2**62 - 1, 63, 0),  # a shift by 63 and more is undefined in C
        (-(2**62 - 1), 64, 0),
        (-(2**62 - 1), 200, 0),
        (1, -62, 2**62),
        (0, -200, 0),
    ],
)
def test_shift_drops_the_fraction_toward_zero(value, right, expected):
    assert shift(value, right) == expected


def test_shift_broadcasts_an_exponent_by_channel():
    # row 0: 9/2, -9/2; row 1: 9*2, -9*2
    assert shift([[9, -9], [9, -9]], [[1], [-1]]).tolist() == [[4, -4], [18, -18]]


@pytest.mark.parametrize(("value", "right"), [(1, -63), (1, -200), (-2, -62), (2**40, -23)])
def test_a_left_shift_that_leaves_int64_is_refused(value, right):
    with pytest.raises(RangeError, match="shift"):
        shift(value, right)


@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(-70, 130))
@QUICK
def test_shift_is_exact_integer_arithmetic(value, right):
    expected = toward_zero(value, right)
    assume(abs(expected) < 2**62)
    assert shift(value, right) == expected


@given(st.integers(-(2**16), 2**16), st.integers(-(2**24), 2**24), st.integers(-8, 40))
@QUICK
def test_a_product_in_float64_drops_its_fraction_the_same_way(mantissa, value, right):
    found = multiply_shift(math.ldexp(mantissa, -right), [value])
    assert found.tolist() == [toward_zero(mantissa * value, right)]


def test_saturation_is_symmetric_and_counted():
    # 8 bits: 127 both ways, so -128 is clipped as well
    clipped, count = saturate([127, -127, 128, -128, 5, 2**40], 8)
    assert clipped.tolist() == [127, -127, 127, -127, 5, 127]
    assert count == 3


@pytest.mark.parametrize(("bits", "limit"), [(2, 1), (8, 127), (16, 32767), (24, 8388607)])
def test_symmetric_limit(bits, limit):
    assert symmetric_limit(bits) == limit


def test_parameters_round_to_nearest_ties_to_even():
    assert round_to([0.5, 1.5, 2.5, -0.5, -1.5, 0.51], 0, 8).tolist() == [0, 2, 2, 0, -2, 1]
    # 0.3 * 4 = 1.2; 0.3 / 4 = 0.075
    assert round_to([[0.3], [0.3]], [[2], [-2]], 8).tolist() == [[1], [0]]


@pytest.mark.parametrize(("value", "bits"), [(127.5, 8), (-127.5, 8), (128, 8), (math.nan, 8)])
def test_a_parameter_is_never_clipped(value, bits):
    with pytest.raises(RangeError, match="at most 127"):
        round_to([0.0, value], 0, bits)
    assert round_to([127.49], 0, bits) == 127


@given(st.floats(-100, 100), st.integers(-3, 12), st.integers(-500, 500))
@QUICK
def test_ceil_makes_the_comparison_of_integers_the_real_one(theta, frac, near):
    rounded = int(ceil_to(theta, frac, 24))
    for message in (near, rounded - 1, rounded, rounded + 1):
        real = Fraction(message) / Fraction(2) ** frac
        assert (message >= rounded) == (real >= Fraction(theta))


def test_ceil_of_thresholds_by_hand():
    # at 2 fraction bits: 0.25 is 1 exactly, 0.26 is 1.04 up to 2, -0.26 is -1.04 up to -1
    assert ceil_to([0.25, 0.26, -0.26, -0.25], 2, 24).tolist() == [1, 2, -1, -1]


@pytest.mark.parametrize(
    ("largest", "bits", "frac"),
    [
        (1.0, 8, 6),  # 64, but 128 does not fit
        (127 / 128, 8, 7),
        (127.49, 8, 0),  # rounds to 127
        (127.5, 8, -1),  # rounds to 128, which does not fit
        (63.75, 8, 0),  # twice that is 127.5
        (63.74, 8, 1),
        (127.51, 8, -1),
        (1.5, 2, -1),  # 2 bits hold 1: 1.5 rounds to 2, so 0.75, which rounds to 1
        (1.4, 2, 0),
        (0.0, 8, 0),
        (1e-30, 8, 64),  # the format has no more
        (5e-324, 8, 64),  # the smallest number there is
    ],
)
def test_fit_frac_at_half_a_unit_of_the_end(largest, bits, frac):
    assert fit_frac(largest, bits) == frac


@given(st.floats(1e-12, 1e12), st.integers(2, 24))
@QUICK
def test_fit_frac_is_the_most_that_fits(largest, bits):
    frac = fit_frac(largest, bits)
    assert abs(int(round_to(largest, frac, bits))) <= symmetric_limit(bits)
    if frac < 64:
        with pytest.raises(RangeError):
            round_to(largest, frac + 1, bits)


def test_fit_frac_ends_at_64_bits_either_way():
    assert (fit_frac(1e-30, 8), fit_frac(1e30, 8)) == (64, -64)  # 1e30 is 2**99.7


@pytest.mark.parametrize("largest", [-1.0, math.nan, math.inf])
def test_fit_frac_refuses_what_is_no_magnitude(largest):
    with pytest.raises(RangeError, match="finite magnitude"):
        fit_frac(largest, 8)


HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    ("real", "imag", "bits", "expected"),
    [
        (0.99999, 0.0, 16, (32767, 0)),  # 32767.67 rounds to 32768, on the circle
        (1.0, 0.0, 16, (32767, 0)),
        (-1.0, 0.0, 16, (-32767, 0)),
        (0.0, -1.0, 16, (0, -32767)),
        (HALF, HALF, 16, (23170, 23170)),  # 23170.475; 2 * 23170**2 < 2**30
        # 8 bits: 90.51 rounds to 91; 2 * 91**2 = 16562 > 2**14, one step: 90**2 + 91**2 = 16381
        (HALF, HALF, 8, (90, 91)),
        (-HALF, HALF, 8, (-90, 91)),
        (HALF, -HALF, 8, (90, -91)),
        # 3 bits: 2.83 rounds to 3; 18 > 16, one step: 4 + 9
        (HALF, HALF, 3, (2, 3)),
        (0.6, 0.8, 6, (19, 25)),  # 19.2, 25.6 rounds to 26; 361 + 676 > 1024, 361 + 625 = 986
        (1e-9, -1e-9, 16, (0, 0)),
        (0.6 / 32768, -0.4 / 32768, 16, (1, 0)),
    ],
)
def test_poles_are_projected_inside_the_circle(real, imag, bits, expected):
    re, im = project_poles([real], [imag], bits)
    assert (int(re[0]), int(im[0])) == expected


@given(st.floats(0, 1), st.floats(-4, 4), st.integers(3, 16))
@QUICK
def test_no_projected_pole_lies_on_or_outside_and_none_moves_far(radius, angle, bits):
    unit = 2 ** (bits - 1)
    real, imag = radius * math.cos(angle), radius * math.sin(angle)
    assume(math.hypot(real, imag) <= 1)
    re, im = (int(part[0]) for part in project_poles([real], [imag], bits))
    assert re**2 + im**2 < unit**2
    # half a unit by rounding, and one step: rounding leaves the circle by less than 0.71 units
    assert abs(re - real * unit) <= 1.5 + 1e-9
    assert abs(im - imag * unit) <= 1.5 + 1e-9


def test_a_pole_one_256th_outside_the_circle_is_still_projected():
    re, im = project_poles([1 + 2**-8], [0.0], 16)
    assert (int(re[0]), int(im[0])) == (32767, 0)
    with pytest.raises(RangeError, match="magnitude at most 1"):
        project_poles([np.nextafter(1 + 2**-8, 2)], [0.0], 16)


@pytest.mark.parametrize("modulus", [1.004, 2.0, math.nan, math.inf])
def test_a_pole_outside_the_circle_is_refused(modulus):
    with pytest.raises(RangeError, match="magnitude at most 1"):
        project_poles([0.5, modulus], [0.0, 0.0], 16)


def test_products_are_formed_in_64_bits_whatever_the_messages_are_held_in():
    # 3 * (2**23 - 1) is odd and above 2**24: no float32
    found = multiply_shift(3.0, np.array([2**23 - 1], dtype=np.float32))
    assert found.dtype == np.float64 and found.tolist() == [25165821.0]


def test_nothing_rounds_to_nothing():
    assert round_to([], 3, 2).tolist() == [] and round_to([], 3, 2).dtype == np.int64


def test_accumulator_bound_takes_the_largest_row():
    assert accumulator_bound(np.array([[1, -2], [3, 4]]), 5) == (3 + 4) * 5
    assert accumulator_bound(np.zeros((0, 2), np.int64), 5) == 0


# -- the compiled scalars are the same primitives ------------------------------

MANTISSAS = st.integers(-(2**15) + 1, 2**15 - 1) | st.sampled_from([-32767, -1, 1, 127, 32767])
MESSAGES = st.integers(-(2**23) + 1, 2**23 - 1) | st.sampled_from([-(2**23) + 1, -1, 2**23 - 1])


@given(MANTISSAS, MESSAGES, st.integers(-14, 90))
@QUICK
def test_compiled_multiply_shift_equals_shift(mantissa, message, right):
    # products up to 2**38; left shifts up to 2**52, the bound of the contract
    scaled = math.ldexp(mantissa, -right)
    got = compiled.multiply_shift(scaled, float(message))
    assert got == shift(mantissa * message, right) == toward_zero(mantissa * message, right)


@given(st.integers(-(2**46), 2**46), st.integers(-6, 130))
@QUICK
def test_compiled_shift_of_integers_equals_shift(value, right):
    assert compiled.shift_int(value, right) == shift(value, right)


@given(st.integers(-(2**52), 2**52), st.integers(2, 24))
@QUICK
def test_compiled_clips_equal_saturate(value, bits):
    limit = symmetric_limit(bits)
    for near in (value, limit, -limit, limit + 1, -limit - 1):
        expected, count = saturate(near, bits)
        assert compiled.clip(float(near), float(limit)) == expected
        assert compiled.clipped(float(near), float(limit)) == count
        assert compiled.clip_int(near, limit) == expected


# -- formats -------------------------------------------------------------------


def test_ranges_of_message_formats():
    assert (Fixed(8, 3).low, Fixed(8, 3).high, Fixed(8, 3).is_spike) == (-127, 127, False)
    assert (Fixed.binary().low, Fixed.binary().high, Fixed.binary().is_spike) == (0, 1, True)
    assert (Fixed.ternary().low, Fixed.ternary().high, Fixed.ternary().is_spike) == (-1, 1, True)
    assert [str(f) for f in (Fixed(24, -3), Fixed.binary())] == ["s24.-3", "binary"]


def test_the_ends_of_message_formats_are_formats():
    assert (Fixed(2).high, Fixed(24).high) == (1, 2**23 - 1)
    assert (Fixed(8, -64).frac, Fixed(8, 64).frac) == (-64, 64)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((8.0,), "a whole number of bits, got 8.0"),
        ((8, 0.5), "a whole number of fraction bits, got 0.5"),
        ((8, -65), "-64 to 64"),
        ((1,), "2 to 24 bits"),
        ((25,), "2 to 24 bits"),
        ((8, 65), "-64 to 64"),
        ((8, 0, "spikes"), "kind graded"),
        ((2, 0, "binary"), "1 bits"),
        ((2, 1, "ternary"), "2 bits, 0 fraction"),
    ],
)
def test_impossible_message_formats_are_refused(arguments, match):
    with pytest.raises(RangeError, match=match):
        Fixed(*arguments)


def test_quantized_means_mantissa_times_a_power_of_two_a_channel():
    found = Quantized(np.array([[3, -4], [5, 6]]), np.array([1, -2]), 8)
    assert found.dequantize().tolist() == [[1.5, -2.0], [20.0, 24.0]]
    assert found.frac_by_channel().tolist() == [[1], [-2]]
    assert Quantized(np.array(3), 2, 8).dequantize() == 0.75
    assert Quantized(np.array([3, 4]), np.array([1, 0]), 8).dequantize().tolist() == [1.5, 4.0]


def test_the_ends_of_integer_parameters_are_parameters():
    assert Quantized(np.array([1, -1]), 64, 2).values.tolist() == [1, -1]
    assert Quantized(np.array([2**31 - 1, 1 - 2**31]), -64, 32).frac == -64
    assert Quantized(np.array([1, 1]), np.array([-64, 64]), 8).frac_by_channel().tolist() == [
        -64,
        64,
    ]


def test_exponents_are_taken_up_as_plain_integers_of_their_own():
    assert type(Quantized(np.array([1]), np.int16(3), 8).frac) is int
    given = np.array([1, 2], dtype=np.int16)
    frac = Quantized(np.array([1, 1]), given, 8).frac
    given[0] = 9
    assert frac.tolist() == [1, 2] and frac.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        frac[0] = 3


@pytest.mark.parametrize(
    ("values", "frac", "bits", "match"),
    [
        ([0.5], 0, 8, "expected integers"),
        ([128], 0, 8, r"\+-127"),
        ([-128], 0, 8, r"\+-127"),
        ([1], 0, 33, "2 to 32 bits"),
        ([0], 0, 1, "2 to 32 bits"),
        ([1], -65, 8, "-64 to 64"),
        ([1, 1], np.array([0, -65]), 8, "-64 to 64"),
        ([1, 2], np.array([1]), 8, "exponents by channel"),
        ([1], np.array([0.5]), 8, "exponents by channel"),
        ([1], 65, 8, "-64 to 64"),
    ],
)
def test_impossible_integer_parameters_are_refused(values, frac, bits, match):
    with pytest.raises(RangeError, match=match):
        Quantized(np.array(values), frac, bits)


def test_quantized_is_frozen_and_compares_by_value():
    source = np.array([1, 2])
    found = Quantized(source, 0, 8)
    source[0] = 9
    assert found == Quantized(np.array([1, 2]), 0, 8)
    assert found != Quantized(np.array([1, 2]), 1, 8)
    assert found != Quantized(np.array([1, 2]), 0, 9)
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 3


# -- leaks ---------------------------------------------------------------------


def test_leaks_round_to_nearest():
    real = [0, 0.4 / 4096, 0.5 / 4096, 1.5 / 4096, 0.5, 1 - 0.4 / 4096, np.nextafter(1, 0)]
    assert round_leaks(real, 12).tolist() == [0, 0, 0, 2, 2048, 4096, 4096]
    assert round_leaks([0.5], 1).tolist() == [1]
    assert round_leaks([0.5], 1).dtype == np.int64


def test_what_does_not_leak_at_all_stays_so():
    assert round_leaks([1.0, np.nextafter(1, 0), 0.0], 12).tolist() == [4096, 4096, 0]


def test_a_leak_next_to_one_is_one_where_that_is_nearer():
    # 1 - 1/8192 lies in the middle: ties to even
    assert round_leaks([1 - 1e-9, 1 - 1 / 8191, 1 - 1 / 8192, 1 - 1 / 8193], 12).tolist() == [
        4096, 4095, 4096, 4096]  # fmt: skip
    assert round_leaks([1 - 1e-6, 1 - 2e-6, 1 - 1e-7], 20).tolist() == [2**20 - 1, 2**20 - 2, 2**20]


@pytest.mark.parametrize("leak", [np.nextafter(1, 2), -1e-9, np.nan, np.inf])
def test_what_is_no_leak_is_refused(leak):
    with pytest.raises(RangeError, match="leaks: expected at least 0 and at most 1"):
        round_leaks([0.5, leak], 12)


@pytest.mark.parametrize(
    ("value", "mantissa", "frac"),
    [
        (0.5, 2**14, 15), (-0.5, -(2**14), 15), (0.75, 24576, 15), (0.25, 2**14, 16),
        (1 - 2**-15, 32767, 15), (0.99999, 32767, 15),  # 32767.67: 1 would lose nothing
        (-0.99999, -32767, 15), (3 * 2.0**-10, 24576, 23), (0.0, 0, 15),
        (2.0**-60, 0, 48),  # the finest unit that there is for it
    ],
)  # fmt: skip
def test_what_is_below_one_stays_below_one(value, mantissa, frac):
    mantissas, fracs = round_inside([value, 0.5], 16)
    assert (mantissas.tolist(), fracs.tolist()) == ([mantissa, 2**14], [frac, 15])


@pytest.mark.parametrize("value", [1.0, -1.0, 2.0, np.nan])
def test_what_is_not_below_one_is_refused(value):
    with pytest.raises(RangeError, match="coupling: expected above -1 and below 1"):
        round_inside([0.5, value], 16)
