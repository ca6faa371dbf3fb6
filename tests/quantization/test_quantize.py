"""Quantizing: parameters within half a unit, the contract kept, nothing saturated or guessed."""

from dataclasses import replace

import numpy as np
import pytest
from float_model import C, N, T, float_ssm, gated_block, only, pixels, quantized

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import GraphError, InputError, RangeError
from neurossm.fixed import Fixed, Quantized, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import Affine, BatchNorm, DiagonalSSM, Input, Output, Threshold
from neurossm.quantization import Quantize, calibrate

SETTINGS = [
    Quantize(),
    Quantize(pole_bits=12, weight_bits=6, state_bits=20, activation_bits=20, stream_bits=12,
             segment_bits=8),
    Quantize(pole_bits=8, weight_bits=4, state_bits=12, activation_bits=12, stream_bits=8,
             headroom=0),
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_integer_graph_keeps_the_contract_and_does_not_saturate_on_calibration(settings):
    graph, inputs = gated_block(), pixels()
    integer, _ = quantized(graph, inputs, settings)
    assert contract.problems(integer) == ()
    assert (integer.edges, integer.meta, list(integer.nodes)) == (
        graph.edges, graph.meta, list(graph.nodes)
    )  # fmt: skip
    trace = run(integer, inputs, "fast")
    assert {name: c.saturations for name, c in trace.counts.items() if c.saturations} == {}
    assert 0.05 < trace.values["spike"].mean() < 0.95, "the test sees no spikes"


def assert_within_half_a_unit(found: Quantized, real: np.ndarray) -> None:
    units = np.abs(found.dequantize() - real) * 2.0 ** found.frac_by_channel()
    assert units.max() <= 0.5 + 1e-6


def assert_rounded_up(found: Quantized, real: np.ndarray) -> None:
    units = (found.dequantize() - real) * 2.0 ** found.frac_by_channel()
    assert units.min() >= 0 and units.max() < 1


@pytest.mark.parametrize("settings", SETTINGS)
def test_parameters_lie_within_half_a_unit(settings):
    graph = gated_block()
    integer, _ = quantized(graph, pixels(), settings)
    for name, real in graph.nodes.items():
        found = integer.nodes[name]
        if isinstance(real, Affine):
            assert_within_half_a_unit(found.weight, real.weight)
            assert_within_half_a_unit(found.bias, real.bias)
    assert_rounded_up(integer.nodes["spike"].theta, graph.nodes["spike"].theta)
    real, found = graph.nodes["sigmoid"], integer.nodes["sigmoid"]
    assert_rounded_up(found.knots, real.knots)
    assert_within_half_a_unit(found.slopes, real.slopes)
    assert_within_half_a_unit(found.offsets, real.offsets)
    assert (found.function, found.max_error) == ("sigmoid", real.max_error)


def complex_of(node: DiagonalSSM, letter: str) -> np.ndarray:
    parts = (getattr(node, f"{letter}_{part}") for part in ("re", "im"))
    re, im = (p.dequantize() if isinstance(p, Quantized) else p for p in parts)
    return re + 1j * im


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_an_ssm_is_rescaled_exactly_and_rounded_by_half_a_unit(settings, offset):
    # x -> s x leaves the recurrence alone if b, drive -> s b, s drive and c -> c / s
    real = float_ssm(offset=offset)
    integer, ranges = quantized(only(real, Fixed(9, 8)), pixels(C), settings)
    found = integer.nodes["node"]
    scale = complex_of(found, "b") / complex_of(real, "b")
    for part in ("real", "imag"):
        c, drive = complex_of(real, "c") / scale, complex_of(real, "drive") * scale
        short = part[:2]
        assert_within_half_a_unit(getattr(found, f"c_{short}"), getattr(c, part))
        assert_within_half_a_unit(getattr(found, f"drive_{short}"), getattr(drive, part))
    assert_within_half_a_unit(found.d, real.d)
    assert_within_half_a_unit(found.bias, real.bias)
    # rounding moves a pole by half a unit, projection by one more
    units = np.abs(complex_of(found, "a") - complex_of(real, "a")) * 2.0 ** (settings.pole_bits - 1)
    assert units.max() <= np.hypot(1.5, 0.5)
    # the largest state of each channel uses its width: between a quarter and the end of it
    state = np.maximum(
        ranges.states["node"] * 2**settings.headroom, np.abs(complex_of(real, "drive"))
    )
    used = (state * np.abs(scale)).max(1) * 2.0**found.drive_re.frac
    assert np.all(used <= symmetric_limit(settings.state_bits))
    assert np.all(used >= symmetric_limit(settings.state_bits) / 4)
    # b is real and a power of two
    assert not found.b_im.values.any()
    assert np.all(np.bitwise_count(found.b_re.values) == 1)


@pytest.mark.parametrize("settings", SETTINGS)
def test_widths_are_respected(settings):
    integer, _ = quantized(gated_block(), pixels(), settings)
    found = integer.nodes["ssm"]
    assert {found.a_re.bits, found.a_im.bits} == {settings.pole_bits}
    gains = {getattr(found, name).bits for name in ("b_re", "b_im", "c_re", "c_im", "d")}
    assert gains == {settings.weight_bits} == {integer.nodes["value"].weight.bits}
    assert {found.drive_re.bits, found.drive_im.bits} == {settings.state_bits}
    assert found.out.bits <= settings.activation_bits
    assert integer.nodes["product"].out.bits <= settings.activation_bits
    assert integer.nodes["add"].out.bits <= settings.stream_bits
    assert integer.nodes["sigmoid"].slopes.bits == settings.segment_bits
    assert integer.nodes["sigmoid"].out.bits <= settings.segment_bits


def test_each_bit_of_headroom_halves_the_unit():
    fracs = []
    for headroom in (0, 1, 3):
        integer, _ = quantized(gated_block(), pixels(), Quantize(headroom=headroom))
        fracs.append(integer.nodes["ssm"].drive_re.frac)
    np.testing.assert_array_equal(fracs[0] - fracs[1], np.ones(C))
    np.testing.assert_array_equal(fracs[0] - fracs[2], np.full(C, 3))


def test_a_norm_whose_offset_cancels_the_input_is_no_trouble():
    # u is 255 / 256 at every step, and the drive takes b u away again but for a thousandth: the
    # states stay near zero while drive and bias are a thousand times as large
    level = 255 / 256
    real = float_ssm(offset=-level * 0.999)
    real = replace(real, bias=-real.d * level, c_re=real.c_re * 1e-3, c_im=real.c_im * 1e-3)
    inputs = np.full((2, T, C), 255)
    graph = only(real, Fixed(9, 8))
    integer, ranges = quantized(graph, inputs, Quantize())
    drive = np.abs(complex_of(real, "drive"))
    assert np.all(ranges.states["node"] < 0.1 * drive), "the states are not small"
    assert ranges.messages["node"] < 0.1 * np.abs(real.bias).max(), "the output is not small"
    trace = run(integer, inputs, "fast")
    assert trace.saturations() == 0
    # and the sum of both is right, to a few units of a state that is scaled for the drive
    expected = run(graph, inputs, "float").values["node"]
    got = trace.values["node"] * 2.0 ** -integer.nodes["node"].out.frac
    assert np.abs(got - expected).max() < 0.02 * np.abs(real.bias).max()


def test_states_that_nothing_drives_are_no_trouble():
    b_re, b_im = float_ssm().b_re.copy(), float_ssm().b_im.copy()
    b_re[0], b_im[0] = 0, 0  # a whole channel
    b_re[1, 0], b_im[1, 0] = 0, 0  # one state of a channel
    drive = np.zeros((C, N))
    drive[0, 1] = 3.0  # and a constant moves one of them
    real = float_ssm(b_re=b_re, b_im=b_im, drive_re=drive, drive_im=-drive)
    graph, inputs = only(real, Fixed(9, 8)), pixels(C)
    integer, _ = quantized(graph, inputs, Quantize())
    trace = run(integer, inputs, "fast")
    assert trace.saturations() == 0
    expected = run(graph, inputs, "float").values["node"]
    got = trace.values["node"] * 2.0 ** -integer.nodes["node"].out.frac
    assert np.abs(got - expected).max() < 0.05 * np.abs(expected).max()


def test_the_integers_follow_the_real_numbers_within_the_derived_bound():
    """Wide formats: the distance stays within a bound that is derived, not measured.

    With the quantized pole p, an error e of the state obeys ``e' = p e + (p - a) x + r``, where r
    is what truncation drops: three products of the real part and two of the imaginary part by less
    than a unit each, and half a unit of the drive's rounding. So ``|e| <= (|p - a| X + |r|) / (1 -
    |p|)`` for states within X. At the output c is wrong by its rounding, 2 N + 1 products lose less
    than a unit each, and the bias half a unit.
    """
    real = float_ssm(offset=0.3)
    graph, inputs = only(real, Fixed(9, 8)), pixels(C, seed=8)
    integer, ranges = quantized(graph, inputs, Quantize())
    found = integer.nodes["node"]
    scale = complex_of(found, "b") / complex_of(real, "b")
    largest = ranges.states["node"] * np.abs(scale)
    pole, unit = complex_of(found, "a"), 2.0 ** -found.drive_re.frac_by_channel()
    dropped = np.hypot(3.5, 2.5) * unit
    moved = np.abs(pole - complex_of(real, "a")) * largest
    state_error = (moved + dropped) / (1 - np.abs(pole))
    c, wrong = complex_of(found, "c"), complex_of(found, "c") - complex_of(real, "c") / scale
    bound = 2 * (np.abs(c) * state_error + np.abs(wrong) * largest).sum(1)
    bound += np.abs(found.d.dequantize() - real.d) * ranges.messages["in"]
    bound += (2 * N + 1.5) * 2.0**-found.out.frac

    expected = run(graph, inputs, "float").values["node"]
    trace = run(integer, inputs, "fast")
    assert trace.saturations() == 0
    distance = np.abs(trace.values["node"] * 2.0**-found.out.frac - expected).max((0, 1))
    assert np.all(distance <= bound)
    assert np.all(bound < 0.05 * np.abs(expected).max((0, 1))), "the bound says nothing"


def test_the_whole_block_follows_the_float_model():
    graph, inputs = gated_block(), pixels(seed=9)
    integer, _ = quantized(graph, inputs, Quantize())
    expected, found = run(graph, inputs, "float"), run(integer, inputs, "fast")
    assert np.mean(found.values["spike"] != expected.values["spike"]) < 0.01
    # 8-bit weights are wrong by up to 1/254 of the largest, and so are their sums of six
    unit = 2.0 ** -integer.nodes["out"].out.frac
    last, right = found.values["out"][:, -1] * unit, expected.values["out"][:, -1]
    assert np.abs(last - right).max() < 0.1 * np.abs(right).max()
    np.testing.assert_array_equal(last.argmax(1), right.argmax(1))


# -- what cannot be quantized --------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pole_bits", 17), ("pole_bits", 2), ("weight_bits", 9), ("weight_bits", 1),
        ("state_bits", 25), ("state_bits", 7), ("activation_bits", 25), ("activation_bits", 3),
        ("stream_bits", 3), ("segment_bits", 17), ("headroom", -1), ("headroom", 9),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"quantize {field}: expected .* got {value}"):
        Quantize(**{field: value})


def test_a_pole_outside_the_circle_is_refused_by_the_name_of_its_node():
    # 1.02 ** 30 is no overflow: the float run is fine, the integers would not be
    real = float_ssm(a_re=np.full((C, N), 1.02), a_im=np.zeros((C, N)))
    with pytest.raises(RangeError, match=r"node 'node': poles: .* at most 1, got 1\.02"):
        quantized(only(real, Fixed(9, 8)), pixels(C), Quantize())


def test_a_batch_norm_must_be_folded_first():
    norm = BatchNorm(gain=np.ones(C), offset=np.zeros(C))
    with pytest.raises(GraphError, match=r"node 'node' \(BatchNorm\).*pass fold_batch_norm"):
        quantized(only(norm, Fixed(9, 8)), pixels(C), Quantize())


def test_a_parameter_that_fits_no_format_is_refused_by_the_name_of_its_node():
    # inputs are up to 2**23 - 1, so 1e7 is not twice as far: the threshold might be meant
    far = Threshold(theta=[1.0, 1e7])
    message = (
        r"node 'node': the threshold of channel 1: expected at most 8\.38861e\+06, 24 bits .*"
        r"got 1e\+07; lower it, or set it to infinity where channel 1 is never to spike"
    )
    with pytest.raises(RangeError, match=message):
        quantized(only(far, Fixed(24)), pixels(2), Quantize())
    # and the remedy works; no message of 24 bits is refused for it
    for never in (1e300, np.finfo(float).max):
        graph = only(Threshold(theta=[1.0, never]), Fixed(24))
        integer, _ = quantized(graph, pixels(2), Quantize())
        assert integer.nodes["node"].theta.values.tolist() == [1, 2**23 - 1]


def test_a_mean_over_too_many_steps_is_refused():
    graph = gated_block()
    ranges = calibrate(graph, run(graph, pixels(), "float"))
    long = graph.with_nodes({"mean": replace(graph.nodes["mean"], steps=2**23)})
    with pytest.raises(GraphError, match=r"node 'mean' \(Accumulate\): expected at most 8388607"):
        Quantize()(long, ranges)


# -- calibration ---------------------------------------------------------------


def test_ranges_are_the_largest_magnitudes_over_channels_and_samples():
    graph = only(Affine(weight=[[1.0], [-3.0]], bias=[0.0, 0.5]), Fixed(9, 8))
    trace = run(graph, np.array([[[-64], [32]], [[128], [0]]]), "float")
    ranges = calibrate(graph, trace)
    assert ranges.messages == {"in": 0.5, "node": 1.25, "out": 1.25}  # -3 * -0.25 + 0.5
    assert ranges.samples == 2


def test_only_a_float_trace_can_calibrate():
    graph = gated_block()
    integer, _ = quantized(graph, pixels(), Quantize())
    with pytest.raises(InputError, match=r"expected a trace of the float engine, got .*'fast'"):
        calibrate(graph, run(integer, pixels(), "fast"))


def test_a_float_model_that_overflows_is_refused_by_name():
    real = float_ssm(a_re=np.full((C, N), 1e30), a_im=np.zeros((C, N)))
    graph: Graph = only(real, Fixed(9, 8))
    with pytest.raises(GraphError, match="node 'node': expected finite values, got an overflow"):
        calibrate(graph, run(graph, pixels(C), "float"))


def test_a_channel_that_calibration_never_moved_is_not_cut_off():
    # channel 1 of the SSM hears nothing in calibration, then everything: its one real state is
    # x' = x / 2 + u, so a constant input of 0.5 drives it to 1 and y = 2 x to 2
    ones, zeros = np.ones((2, 1)), np.zeros((2, 1))
    ssm = DiagonalSSM(
        a_re=ones / 2, a_im=zeros, b_re=ones, b_im=zeros, c_re=ones, c_im=zeros, d=np.zeros(2),
        drive_re=zeros, drive_im=zeros, bias=np.zeros(2), step_size=np.ones(2), method="zoh",
    )  # fmt: skip
    graph = Graph(
        {"in": Input(channels=2, out=Fixed(9, 8)), "ssm": ssm, "out": Output(channels=2)},
        (("in", "ssm"), ("ssm", "out")),
    )
    quiet = np.array([128, 0]) * np.ones((1, 30, 2), np.int64)
    loud = np.array([0, 128]) * np.ones((1, 30, 2), np.int64)
    integers = Quantize()(graph, calibrate(graph, run(graph, quiet, "float")))
    trace = run(integers, loud, "reference")
    y = trace.values["out"][0, -1] * 2.0 ** -integers.nodes["out"].out.frac
    assert trace.saturations() == 0
    assert y == pytest.approx([0, 2], abs=1e-3)
