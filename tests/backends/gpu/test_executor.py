"""The executor around the kernels: options, devices, memory, parts, what stays on the device."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
import triton_compiled
from engine import test_without_kernel as unknown
from hostile.examples import integer_graph

from neurossm.engine import execute, run
from neurossm.errors import InputError, TargetError
from neurossm.executors import choose
from neurossm.fixed import Fixed
from neurossm.store import load
from neurossm.trace import joined_traces
from neurossm_converters.backends.gpu import device, executor, parts
from neurossm_converters.backends.gpu.execute import Work
from neurossm_converters.backends.gpu.form import FORMS
from neurossm_converters.backends.gpu.parts import Part
from neurossm_converters.backends.gpu.program import Program

GOLDEN = sorted((Path(__file__).parents[3] / "hw_tests" / "golden").glob("*.nssm"))
HERE = "gpu:device=interpreter"
SAMPLES, STEPS = 5, 12
WIDE = integer_graph()
# a narrow message: some saturate
GRAPH = WIDE.with_nodes({"mix": replace(WIDE.nodes["mix"], out=Fixed(14, 13))})
INPUTS = np.random.default_rng(8).integers(-127, 128, (SAMPLES, STEPS, 2))
ENDS = np.array([12, 3, 7, 1, 12])


@pytest.fixture(scope="module")
def expected():
    trace = run(GRAPH, INPUTS, "reference", lengths=ENDS)
    assert trace.saturations() and all(count.spikes_out for count in trace.counts.values())
    return trace


def same(found, expected) -> None:
    """Compare states, counters, and the values that there are."""
    for name, values in found.values.items():
        np.testing.assert_array_equal(values, expected.values[name], err_msg=name)
    assert found.states.keys() == expected.states.keys()
    for name, state in expected.states.items():
        np.testing.assert_array_equal(found.states[name], state, err_msg=name)
    assert dict(found.counts) == dict(expected.counts)


# -- options and devices -------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [("samples=-1", "samples: expected .* at least 0, got -1"),
     ("device=cpu", "device: expected cuda, cuda:N or interpreter, got 'cpu'"),
     ("device=cuda:", "got 'cuda:'"), ("devise=cuda", "devise")],
)  # fmt: skip
def test_options_that_are_none(options, said):
    with pytest.raises(InputError, match=said):
        choose(f"gpu:{options}")


def test_where_there_is_no_gpu_one_line_says_what_helps(monkeypatch):
    monkeypatch.setattr(executor, "DRIVERS", ())
    with pytest.raises(TargetError, match="no GPU is here; --engine fast is quick") as error:
        run(GRAPH, INPUTS, "gpu")
    assert "\n" not in str(error.value)
    assert not choose(HERE).problem


def test_a_driver_without_a_gpu_that_pytorch_sees(monkeypatch, tmp_path):
    monkeypatch.setattr(executor, "DRIVERS", (str(tmp_path),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        TargetError, match=r"expected that GPU, got none .*; --engine fast is quick"
    ):
        run(GRAPH, INPUTS, "gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(TargetError, match="'cuda:2': expected that GPU, got 2"):
        run(GRAPH, INPUTS, "gpu:device=cuda:2")
    assert device.device_of("cuda:1") == device.Device(torch.device("cuda", 1), False)
    assert device.device_of("cuda") == device.Device(torch.device("cuda", 0), False)


def test_without_triton(monkeypatch):
    monkeypatch.setattr("neurossm.extras.find_spec", lambda name: None if name == "triton" else 1)
    with pytest.raises(TargetError, match=r"no triton is installed; pip install 'neurossm\[gpu\]'"):
        run(GRAPH, INPUTS, HERE)


def test_what_a_gpu_has_free(monkeypatch):
    gigabyte = 2**30
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda place: (10 * gigabyte, 80 * gigabyte))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda place: 6 * gigabyte)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda place: gigabyte)
    # of 10 that are free and 5 that PyTorch keeps for itself, 0.6
    assert device.Device(torch.device("cuda", 0), False).free_bytes == 9 * gigabyte


# -- memory and parts ----------------------------------------------------------


def test_bytes_of_a_step_by_hand():
    # pixel of 2, then mix, ssm, fire and out of 3 each; two are held at a time, and where edges
    # meet twice the widest; 8 bytes of each input
    assert parts.bytes_a_step(GRAPH, ()) == 4 * (6 + 2 * 3) + 8 * 2
    # what is recorded is held to the end: 2 + 3 + 3 + 3 + 3
    assert parts.bytes_a_step(GRAPH, GRAPH.order) == 4 * (14 + 2 * 3) + 8 * 2


def test_samples_and_steps_that_fit_by_hand():
    step, states = 4 * (6 + 2 * 3) + 8 * 2, 8 * 3 * 2 * 2  # complex states of 3 channels, 2 modes

    def fitting(room: int, samples: int = 100, asked: int = 0) -> tuple[int, int]:
        free = parts.WORKSPACE + room
        return parts.together(GRAPH, (samples, 20), (), free, asked)

    each = states + 20 * step
    assert fitting(10 * each) == (10, 20) and fitting(10 * each - 1) == (9, 20)
    assert fitting(10 * each, samples=4) == (4, 20)
    assert fitting(10 * each, asked=5) == (5, 20)
    # more than there is room for, as they were asked for: fewer steps at a time
    assert fitting(10 * each, asked=20) == (20, (10 * each - 20 * states) // (20 * step))
    assert fitting(0) == (1, 1)
    assert parts.together(GRAPH, (100, 20), (), 0, 0) == (1, 1)


def test_a_part_is_halved_to_a_step_of_a_sample():
    part, smallest = Part(np.array([4, 1, 2]), 9, 5), []
    assert [half.samples.tolist() for half in part.halves()] == [[4], [1, 2]]
    assert [half.samples for half in Part(slice(3, 8), 9, 5).halves()] == [slice(3, 5), slice(5, 8)]
    while part.halves():
        part = part.halves()[0]
        smallest.append((part.count, part.steps))
    assert smallest == [(1, 5), (1, 3), (1, 2), (1, 1)]
    assert list(Part(slice(0, 1), 9, 4).blocks()) == [slice(0, 4), slice(4, 8), slice(8, 9)]


def test_sequences_of_about_one_length_run_together():
    found = parts.parts(ENDS, (5, 12), 2, 12)
    assert [(part.samples.tolist(), part.length) for part in found] == [
        ([3, 1], 3), ([2, 0], 12), ([4], 12)
    ]  # fmt: skip
    found = parts.parts(None, (5, 12), 2, 12)
    assert [part.samples for part in found] == [slice(0, 2), slice(2, 4), slice(4, 5)]


def memory(limit: int):
    """Return a `Work._run` for a device that holds so many steps of samples."""
    own = Work._run

    def within(self, part: Part) -> None:
        if part.count * min(part.steps, part.length) > limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        own(self, part)

    return patch.object(Work, "_run", within)


@pytest.mark.parametrize("limit", [40, 8])
def test_memory_that_runs_out_means_smaller_parts(expected, limit):
    with memory(limit):
        same(run(GRAPH, INPUTS, HERE, lengths=ENDS), expected)


def test_no_memory_for_a_step_of_a_sample():
    with memory(0), pytest.raises(TargetError, match="got CUDA out of memory; end what else"):
        run(GRAPH, INPUTS, HERE)


@pytest.mark.parametrize(
    ("samples", "room"), [(0, 2**30), (1, 2**30), (0, parts.WORKSPACE + 900), (3, 0)]
)
def test_parts_are_the_whole(expected, samples, room):
    done = []
    with patch.object(device, "INTERPRETED_BYTES", room):
        found = execute(GRAPH, INPUTS, f"{HERE},samples={samples}", progress=done.append,
                        lengths=ENDS)  # fmt: skip
    same(found.trace, expected)
    assert found.trace.values.keys() == expected.values.keys()
    assert sum(done) == SAMPLES and max(done) <= (samples or SAMPLES)
    assert found.notes["ran on"] == "Triton's interpreter on the CPU"


def test_recording_less(expected):
    found = run(GRAPH, INPUTS, HERE, record=("ssm",), lengths=ENDS)
    assert list(found.values) == ["ssm"]
    same(found, expected)


class Samples:
    """All inputs, read in slices."""

    shape, lengths = INPUTS.shape, ENDS

    def __getitem__(self, part: slice) -> np.ndarray:
        return INPUTS[part]


@pytest.mark.parametrize("samples", [0, 2])
def test_a_stream_gives_answers_and_counters_in_the_order_of_the_samples(expected, samples):
    done = []
    found = list(choose(f"{HERE},samples={samples}").stream(GRAPH, Samples(), done.append))
    starts = list(range(0, SAMPLES, samples or SAMPLES))
    assert [part.start for part, _ in found] == starts and sum(done) == SAMPLES
    # the output spikes: its spikes are counted to each end
    sent = expected.values["out"]
    spikes = [values[:end].sum(axis=0) for values, end in zip(sent, ENDS, strict=True)]
    np.testing.assert_array_equal(np.concatenate([run.answers for _, run in found]), spikes)
    whole = joined_traces([run.trace for _, run in found])
    assert not whole.values and dict(whole.counts) == dict(expected.counts)
    assert whole.real_steps == ENDS.sum()


# -- what has no kernel, and what stays on the device ----------------------------


@pytest.mark.parametrize("lengths", [None, unknown.LENGTHS], ids=["alike", "unlike"])
def test_a_node_that_only_knows_its_step(lengths):
    expected = run(unknown.GRAPH, unknown.INPUTS, "reference", lengths=lengths)
    found = execute(unknown.GRAPH, unknown.INPUTS, HERE, lengths=lengths)
    same(found.trace, expected)
    assert found.notes["nodes on the CPU"] == ["first", "second"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_node_without_its_form(path):
    graph = load(path)
    rng = np.random.default_rng(1)
    inputs = {
        name: rng.integers(0, 2, (3, 9, graph.nodes[name].out_channels)) for name in graph.inputs
    }
    expected = run(graph, inputs, "reference", lengths=[9, 4, 1])
    with patch.dict(FORMS, clear=True):
        found = execute(graph, inputs, HERE, lengths=[9, 4, 1])
    same(found.trace, expected)
    assert len(found.notes["nodes on the CPU"]) == len(graph.nodes) - len(graph.inputs)


class Shapes(device.Device):
    """A device on which tensors have shapes and no values: whoever reads one fails."""

    @contextmanager
    def current(self):
        with torch.no_grad():
            yield


@contextmanager
def kernels_that_do_nothing():
    """Within this, no kernel starts."""
    with ExitStack() as within:
        for module in triton_compiled.STARTING:
            within.enter_context(patch.object(module, "start", lambda *_, **__: None))
        yield


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("padded", [False, True])
def test_nothing_leaves_the_device(path, padded):
    graph = load(path)
    place = torch.device("meta")
    program = Program.of(graph, Shapes(place, False))
    assert program.on_the_host == ()
    inputs = {
        name: torch.zeros((2, 5, graph.nodes[name].out_channels), dtype=torch.int32, device=place)
        for name in graph.inputs
    }
    ends = torch.zeros(2, dtype=torch.int32, device=place) if padded else None
    states, counts = program.initial_states(2), program.no_counts()
    with kernels_that_do_nothing():
        sent = program.run(inputs, graph.order, states, counts, ends)
    for name in graph.order:
        shape = (2, 5, graph.nodes[name].out_channels)
        assert (sent[name].shape, sent[name].dtype) == (shape, torch.int32), name
        assert sent[name].device == place


def test_reading_from_the_device_would_be_seen():
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.zeros(3, device="meta").cpu()
