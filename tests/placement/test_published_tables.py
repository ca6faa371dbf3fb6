"""The compiler's own tables: core counts exactly, per-core words as far as the tables give them."""

from __future__ import annotations

import pytest
from published_networks import TABLE_128_X_4, TABLE_256_X_16, network_256_x_16, s4d_shape

from neurossm.hardware import load_hardware
from neurossm.placement import Connection, Core, Population, place, place_populations

LOIHI2 = load_hardware("loihi2")
PRINTED = 0.0051  # half a digit of the tables


def states(count: int, *, real: bool) -> Population:
    return Population(
        "states", "states", (), count, (), plain=0, real_states=int(real),
        complex_states=int(not real),
    )  # fmt: skip


def utilization(core: Core) -> dict[str, float]:
    """Per cent of a core as the compiler's own table prints them."""
    words = core.axon_in_words, core.synapse_words, core.axon_map_words
    axon_in, synapses, axon_map = (100 * used / 16000 for used in words)
    return {
        "axon_in": axon_in, "synapses": synapses, "axon_map": axon_map,
        "neuron_groups": 100 * len(core.slices) / 8,
        "neurons": 100 * core.neuron_words / 4095,
        "total": 100 * (core.neuron_words + sum(words)) / 20000,
    }  # fmt: skip


def cores(*populations: Population) -> int:
    return len(place_populations(populations, LOIHI2).cores)


@pytest.mark.parametrize(
    ("real", "most"), [(True, 2047), (False, 1365)], ids=["real, 2 words", "complex, 3 words"]
)
def test_states_of_a_core_end_at_4095_words(real: bool, most: int) -> None:
    assert cores(states(most, real=real)) == 1
    assert cores(states(most + 1, real=real)) == 2


def test_plain_neurons_end_at_4095_too() -> None:
    assert cores(Population("n", "neurons", (), 4095, ())) == 1
    assert cores(Population("n", "neurons", (), 4096, ())) == 2


def test_4096_states_need_three_cores_if_real_and_four_if_complex() -> None:
    assert cores(states(4096, real=True)) == 3
    assert cores(states(4096, real=False)) == 4


def test_the_128_x_4_network_has_the_six_slices_of_the_table() -> None:
    placed = place(s4d_shape(width=128, states=4, layers=1), LOIHI2, ssm_mapping="state")
    assert len(placed.cores) == 6
    dense = {"relu", "decoder", "encoder"}
    for core in placed.cores:
        (part,) = core.slices
        axon_in, neurons, synapses, axon_map, total = TABLE_128_X_4[part.population]
        found = utilization(core)
        assert found["neuron_groups"] == 12.5
        assert found["axon_in"] == pytest.approx(axon_in, abs=PRINTED)
        assert found["neurons"] == pytest.approx(neurons, abs=PRINTED)
        assert found["axon_map"] == pytest.approx(axon_map, abs=PRINTED)
        if part.population in dense:
            # trained weights with zeros among them, which the plan gives no credit
            assert synapses <= found["synapses"] <= 1.2 * synapses
            assert total <= found["total"] <= 1.13 * total
        else:
            assert found["synapses"] == pytest.approx(synapses, abs=PRINTED)
            assert found["total"] == pytest.approx(total, abs=0.017)  # the fit's largest error


def test_the_256_x_16_network_has_the_seven_slices_of_the_table() -> None:
    placed = place_populations(network_256_x_16(), LOIHI2)
    assert {name: len(placed.slices_of[name]) for name in TABLE_256_X_16} == {
        name: count for name, (_, count) in TABLE_256_X_16.items()
    }
    assert len(placed.cores) == 7


def test_the_rows_of_the_256_x_16_table_at_the_compilers_own_cuts() -> None:
    """It fills cores one by one (2047 + 2047 + 2 states); the plan cuts evenly."""
    placed = place_populations(network_256_x_16(), LOIHI2)
    budget = placed.budget

    def per_cent(name: str, neurons: int) -> dict[str, float]:
        words = placed.populations[name].words(0, neurons, budget)
        return {
            "axon_in": 100 * words.axon_in / 16000,
            "neurons": 100 * words.neuron / 4095,
            "synapses": 100 * words.synapse / 16000,
            "axon_map": 100 * words.axon_map / 16000,
            "total": 100 * words.total / 20000,
        }

    (axon_in, neurons, synapses, axon_map, total), _ = TABLE_256_X_16["relay"]
    assert per_cent("relay", 256) == pytest.approx(
        {"axon_in": axon_in, "neurons": neurons, "synapses": synapses, "axon_map": axon_map,
         "total": total}, abs=0.017,
    )  # fmt: skip
    found, (axon_in, neurons, synapses, axon_map, _) = (
        per_cent("states", 2047),
        TABLE_256_X_16["states"][0],
    )
    assert found["neurons"] == pytest.approx(neurons, abs=PRINTED)
    assert found["axon_map"] == pytest.approx(axon_map, abs=PRINTED)
    # the compiler had 8 states of each of 256 channels here, 2 words an axon: 512 words, its table
    # says 513 or 514; the plan keeps channels together: 128 axons of 4 words
    assert found["synapses"] == pytest.approx(synapses, abs=0.011)
    assert found["axon_in"] == pytest.approx(axon_in / 2, abs=PRINTED)
    found, (axon_in, neurons, synapses, axon_map, _) = (
        per_cent("relu", 127),
        TABLE_256_X_16["relu"][0],
    )
    assert found["axon_in"] == pytest.approx(axon_in, abs=PRINTED)
    assert found["neurons"] == pytest.approx(neurons, abs=PRINTED)
    assert found["axon_map"] == pytest.approx(axon_map, abs=PRINTED)
    assert synapses < found["synapses"] < 1.3 * synapses  # nine of ten weights were zero there


@pytest.mark.parametrize(
    ("targets", "words"), [(10, (3, 4)), (50, (16, 16)), (64, (21, 21)), (128, (38, 38))]
)
def test_dense_words_are_never_fewer_than_in_the_tables(
    targets: int, words: tuple[int, int]
) -> None:
    found = Connection("x", "dense", 1).synapse_words(
        0, targets, place_populations([states(1, real=True)], LOIHI2).budget
    )
    assert words[0] <= found <= 1.11 * words[1]
