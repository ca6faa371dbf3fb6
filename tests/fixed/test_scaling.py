"""Real values as integers and back, by hand."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.fixed import Scaling, TargetScaling

TWO = Scaling(unit=[0.5, 2.0], offset=[1.0, -4.0], scale=[0.25, 1.0], bits=3)


def test_values_become_the_nearest_integer_of_their_channel_and_are_clipped():
    # (2.3 - 1) / 0.5 = 2.6 -> 3; (-100 + 4) / 2 = -48 -> -7; the offset itself -> 0
    integers, clipped = TWO.to_integers([[2.3, -100.0], [1.0, -4.0]])
    assert integers.tolist() == [[3, -7], [0, 0]] and clipped == 1
    assert TWO.beyond([[2.3, -100.0]]).tolist() == [[False, True]]
    # the largest that is not clipped: 7 * 0.5 + 1, and a little more still rounds to it
    assert TWO.to_integers([[4.5, 10.0], [4.74, -18.0]]) [1] == 0  # fmt: skip
    assert TWO.to_integers([[4.76, 10.0]])[1] == 1
    assert TWO.beyond([[4.5, 10.0]]).tolist() == [[False, False]]
    assert integers.dtype == np.int32


def test_integers_are_scaled_as_real_values_are():
    # (3 - 1) / 0.5, (-4 + 4) / 2; of a scaling of one, 2.7 is nearest to 3
    assert TWO.to_integers(np.array([[3, -4]]))[0].tolist() == [[4, 0]]
    one = Scaling(unit=[1], offset=[0], scale=[1], bits=8)
    assert one.to_integers([[2.7]])[0].tolist() == [[3]]


def test_a_scaling_of_one_with_an_offset_is_none_of_one():
    assert not Scaling(unit=[1], offset=[1], scale=[1], bits=8).is_identity
    assert not Scaling(unit=[2], offset=[0], scale=[1], bits=8).is_identity


def test_what_is_clipped_is_counted_through_all_parts_of_a_long_recording():
    values = np.zeros((300_000, 2))
    values[[0, 150_000, 299_999], [0, 1, 0]] = 1000.0
    integers, clipped = TWO.to_integers(values)
    # (0 - 1) / 0.5 = -2, (0 + 4) / 2 = 2
    assert clipped == 3 and integers[[0, 150_000, 299_999]].tolist() == [[7, 2], [-2, 7], [7, 2]]
    assert np.count_nonzero(integers == 7) == 3


def test_the_fields_are_real_numbers_and_read_only():
    made = Scaling([1], [0], [1], 8)
    for name in ("unit", "offset", "scale"):
        assert getattr(made, name).dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            getattr(made, name)[0] = 1.0


def test_channels_are_the_last_axis():
    values = np.arange(12.0).reshape(2, 3, 2)
    integers, _ = TWO.to_integers(values)
    assert integers.shape == (2, 3, 2)
    # (4 - 1) / 0.5 = 6, (5 + 4) / 2 = 4.5, to the even 4
    assert integers[0, 2].tolist() == [6, 4]
    with pytest.raises(InputError, match=r"expected 2 channels, got shape \(3, 2, 3\)"):
        TWO.to_integers(np.zeros((3, 2, 3)))


def test_the_fewest_and_the_most_bits():
    given = {"unit": [1.0], "offset": [0.0], "scale": [1.0]}
    assert (Scaling(**given, bits=1).largest, Scaling(**given, bits=23).largest) == (1, 2**23 - 1)


def test_integers_become_values():
    assert TWO.to_values([[3, -7]]).tolist() == [[2.5, -18.0]]


def test_integers_of_a_scaling_of_one_stay_what_they_are():
    same = Scaling(unit=[1], offset=[0], scale=[1 / 255], bits=8)
    large = np.array([[2**40], [200]])
    integers, clipped = same.to_integers(large)
    assert same.is_identity and not TWO.is_identity
    assert integers.tolist() == [[255], [200]] and clipped == 1


def test_targets_go_there_and_back():
    target = TargetScaling(unit=[4.0], offset=[10.0])
    assert target.to_values([[0.5]]).tolist() == [[12.0]]
    assert target.to_outputs([[12.0]]).tolist() == [[0.5]]


def test_json_returns_every_bit():
    odd = Scaling(unit=[1 / 3, 0.1], offset=[-np.pi, 1e-300], scale=[1e300, 2 / 3], bits=12)
    back = Scaling.from_json(odd.as_json())
    for name in ("unit", "offset", "scale"):
        np.testing.assert_array_equal(getattr(back, name), getattr(odd, name))
    assert back.bits == 12
    target = TargetScaling.from_json(TargetScaling([1 / 3], [0.1]).as_json())
    assert target.unit.tolist() == [1 / 3] and target.offset.tolist() == [0.1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": [0.0]}, "scaling unit: expected numbers above 0, got 0"),
        ({"unit": [np.nan]}, "scaling unit: expected finite numbers"),
        ({"unit": "x"}, "scaling unit: expected finite numbers"),
        ({"offset": [0, 1]}, "scaling offset: expected 1 numbers, got 2"),
        ({"scale": [-1.0]}, "scaling scale: expected numbers above 0, got -1"),
        ({"unit": [[1.0]]}, r"scaling unit: expected finite numbers, .* got shape \(1, 1\)"),
        ({"unit": []}, "scaling unit: expected finite numbers, one a channel, got others"),
        ({"bits": 0}, "scaling bits: expected 1 to 23, got 0"),
        ({"bits": 24}, "scaling bits: expected 1 to 23, got 24"),
        ({"bits": True}, "scaling bits"),
    ],
)
def test_what_is_wrong_is_named(given, message):
    with pytest.raises(InputError, match=message):
        Scaling(**({"unit": [1.0], "offset": [0.0], "scale": [1.0], "bits": 8} | given))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (3.0, r"expected 2 channels, got shape \(\)"),
        (np.zeros((4, 3)), r"expected 2 channels, got shape \(4, 3\)"),
        ([[np.nan, 0.0]], "expected finite numbers, got 1 that are not"),
        ([[np.inf, np.nan]], "got 2 that are not"),
    ],
)
def test_values_that_cannot_be_scaled_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        TWO.to_integers(values)
    with pytest.raises(InputError, match=message):
        TWO.beyond(values)


@pytest.mark.parametrize(
    ("given", "got"),
    [(None, "NoneType"), ({}, ""), ({"unit": [1.0], "x": 1}, "unit, x"), ([], "list")],
)
def test_json_of_another_kind_is_refused(given, got):
    with pytest.raises(InputError, match=f"the keys unit, offset, scale, bits.*{got}"):
        Scaling.from_json(given)
    with pytest.raises(InputError):
        TargetScaling.from_json(given)


def test_a_quotient_beyond_float64_is_refused_and_warns_of_nothing():
    tiny = Scaling(unit=[1e-300], offset=[0.0], scale=[1.0], bits=8)
    with pytest.raises(InputError, match="got 1 that are not"):
        tiny.to_integers([[1e300]])


def test_json_with_half_a_bit_is_refused():
    given = TWO.as_json() | {"bits": 3.5}
    with pytest.raises(InputError, match="scaling bits: expected a whole number, got float"):
        Scaling.from_json(given)


@pytest.mark.parametrize("unit", [0.0, -2.0])
def test_a_target_whose_unit_is_not_above_0_is_refused(unit):
    with pytest.raises(
        InputError, match=f"target scaling unit: expected numbers above 0, got {unit:g}"
    ):
        TargetScaling([unit], [0.0])
