"""The arithmetic that bundle and Lava executor share: one file for each type of node."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neurossm_chip import cells, nssm
from neurossm_chip.arithmetic import product, saturated, scaled
from neurossm_chip.cell import Cell
from neurossm_chip.cells import cell_of, every_cell, file_of, program
from neurossm_chip.main import main
from neurossm_chip.plan import make_plan
from neurossm_chip.refusal import Refusal

GOLDEN = sorted((Path(__file__).parents[2] / "hw_tests/golden").glob("*.nssm"))
TOP = 2**23 - 1


def toward_zero(p: int, k: int) -> int:
    """Shift a Python integer, which has no width, toward zero; to the left where k is negative."""
    magnitude = abs(p) << -k if k < 0 else abs(p) >> k
    return magnitude if p >= 0 else -magnitude


def test_a_product_in_float64_is_that_of_64_bit_integers():
    rng = np.random.default_rng(0)
    ends = [0, 1, -1, 2, -2, 3, -3]
    # poles of 16 bits, slopes of 9, leaks of 13, tables and gains of 8; messages of 24
    mantissas = [*ends, 127, -127, 255, -255, 4095, 32767, -32767, *rng.integers(-32767, 32768, 40)]
    values = [*ends, TOP, -TOP, TOP - 1, *rng.integers(-TOP, TOP + 1, 40)]
    for k in range(-5, 30):
        found = product(scaled(np.array(mantissas)[:, None], k), values).astype(np.int64)
        expected = [[toward_zero(int(m) * int(v), k) for v in values] for m in mantissas]
        assert found.tolist() == expected, k


def test_saturation_is_symmetric_and_counted():
    clipped, count = saturated([200.0, 127, -127, -128, 5], 8)
    assert (clipped.tolist(), count) == ([127, 127, -127, -127, 5], 2)
    assert clipped.dtype == np.int64


def nodes() -> list[tuple[nssm.Node, list[nssm.Node]]]:
    """Return every node of the golden graphs with those that feed it."""
    found = []
    for path in GOLDEN:
        by_name = {node.name: node for node in nssm.read(str(path)).nodes}
        found += [(node, [by_name[s] for s in node.sources]) for node in by_name.values()]
    return found


def test_the_golden_graphs_have_every_cell():
    golden = {node.type for node, _ in nodes()}
    assert golden == {cell.__name__ for cell in every_cell()}, "hw_tests/golden/make.py makes them"


@pytest.mark.parametrize(("node", "senders"), nodes(), ids=lambda v: getattr(v, "name", ""))
def test_samples_side_by_side_are_as_alone(node, senders):
    kind, values = program(node, senders)
    assert set(values) == {"entry_bits", *kind.registers}
    rng, steps, rows = np.random.default_rng(1), 4, 3
    # messages of the format of each edge; of synapses with weights their sums, of the channels
    widths = [node.channels if kind.weights(node) is not None else s.channels for s in senders]
    widths = widths or [node.channels]
    top = 2 ** (senders[0].out.bits - 1) if senders and senders[0].out.kind == "graded" else 2
    low = 0 if node.type == "Embedding" else 1 - top
    high = len(node.values("table")) if node.type == "Embedding" else top
    arriving = [[rng.integers(low, high, (rows, width)) for width in widths] for _ in range(steps)]
    together = kind(values, node.channels)
    state = together.initial(rows)
    sent = [np.array(together.update(state, operands)) for operands in arriving]
    alone, clipped = kind(values, node.channels), 0
    for row in range(rows):
        own = alone.initial()
        for step, operands in enumerate(arriving):
            found = alone.update(own, [operand[row] for operand in operands])
            assert found.tolist() == sent[step][row].tolist()
        parts = together.parts(state)
        assert set(parts) == set(kind.states) >= set(kind.kept(node))
        for name, part in alone.parts(own).items():
            assert part.tolist() == parts[name][row].tolist()
    clipped = alone.saturations
    assert clipped == together.saturations


@pytest.mark.parametrize("kind", ["HalfWave", "lif", "Cell", "os.path", "../LIF", "", "__init__"])
def test_a_type_without_a_cell_is_refused_by_name(kind):
    with pytest.raises(Refusal) as caught:
        cell_of("x", kind)
    assert str(caught.value) == (
        f"node x ({kind}): there is no neuron for a node of this type; run the graph with"
        f" neurossm on its fast engine, or write neurossm_chip/cells/{file_of(kind)}.py"
    )


def test_a_bundle_with_such_a_node_is_refused_before_anything_is_built():
    half = nssm.Node("half", "HalfWave", {"channels": 1}, ("x",))
    with pytest.raises(Refusal, match=r"^node half \(HalfWave\): there is no neuron"):
        make_plan(nssm.File((nssm.Node("x", "Input", {}, ()), half), (), ""))


def test_the_script_ends_with_2_and_one_line(monkeypatch, capsys):
    (ssm,) = (path for path in GOLDEN if path.stem == "ssm")
    assert main(["--graph", str(ssm), "--check"]) == 0
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "neurossm_chip.cells.threshold", None)
    assert main(["--graph", str(ssm), "--check"]) == 2
    assert capsys.readouterr().err == (
        "run.py: node spike (Threshold): there is no neuron for a node of this type; run the graph"
        " with neurossm on its fast engine, or write neurossm_chip/cells/threshold.py\n"
    )


def test_the_remedy_works(monkeypatch, tmp_path):
    (tmp_path / "half_wave.py").write_text(
        "from neurossm_chip.cell import Cell\n"
        "class HalfWave(Cell):\n"
        "    def update(self, state, operands):\n"
        "        return self.entering(operands) // 2\n"
    )
    monkeypatch.setattr(cells, "__path__", [str(tmp_path)])
    kind, values = program(nssm.Node("x", "HalfWave", {}, ()), [])
    assert kind(values, 1).update({}, [np.array([6])]).tolist() == [3]


@pytest.mark.parametrize(
    ("registers", "variables", "said"),
    [
        ({"theta": 24, "gain": 8}, {"theta": 1}, "its cell has no value for 'gain'"),
        ({"theta": 24}, {"theta": 1, "gain": 2}, "its cell has no register for 'gain'"),
    ],
)
def test_a_cell_whose_registers_are_not_its_variables_is_named(registers, variables, said):
    class Odd(Cell):
        @classmethod
        def variables(cls, node, arriving):
            return variables

    Odd.registers = registers
    with pytest.raises(Refusal, match=rf"node mine \(Odd\): {said}"):
        Odd.program(SimpleNamespace(name="mine", type="Odd"), [])


def test_a_kernel_without_its_arithmetic_is_named():
    class Empty(Cell):
        pass

    empty = object.__new__(Empty)
    with pytest.raises(Refusal, match="Empty has no 'send': a step kernel needs 'update'"):
        empty.update({}, [])
    with pytest.raises(Refusal, match="Empty has no 'take'"):
        empty.take({}, [])
