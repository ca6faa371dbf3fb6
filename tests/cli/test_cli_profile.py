"""``neurossm profile`` beyond counts: placement, speeds, spike rates, NeuroBench, timings."""

import json
from importlib import resources

import pytest

DATA = ("--data", "digits:test:5")


def test_a_profile_is_placed_by_both_mappings_or_by_the_one_asked_for(neurossm, files):
    both = neurossm("profile", files.integer, *DATA, "--json").document
    assert both["placement"] is None and both["per_core"] is None
    assert both["energy"]["placed"] and list(both["energy"]["by_mapping"]) == ["state", "channel"]
    for mapping in ("state", "channel"):
        found = neurossm("profile", files.integer, *DATA, "--ssm-mapping", mapping,
                         "--json").document  # fmt: skip
        energy, cores = found["energy"], found["per_core"]
        assert found["placement"]["ssm_mapping"] == mapping
        assert energy["chips"] == [1, 1] and found["placement"]["chips"] == 1
        assert len(cores["cores"]) == found["placement"]["cores_in_use"] > 1
        assert cores["max"]["syn_ops"]["high"] <= cores["total"]["syn_ops"]["high"]
        assert cores["step_time"]["low_s"] <= energy["step_time_s"][1]
        assert list(energy["by_mapping"]) == [mapping]
        assert both["energy"]["by_mapping"][mapping] == energy["by_mapping"][mapping]
        assert both["energy"]["low_j"] <= energy["low_j"] < energy["high_j"]
        assert energy["high_j"] <= both["energy"]["high_j"]
    said = neurossm("profile", files.integer, *DATA, "--chips", 1, "--details").out
    assert "Placed with the state mapping" in said and "Placed with the channel mapping" in said
    one = neurossm("profile", files.integer, *DATA, "--ssm-mapping", "state", "--details").out
    assert "Busiest core" in one and "channel mapping" not in one


def test_each_layer_has_its_break_even_rate(neurossm, files):
    found = neurossm("profile", files.integer, *DATA, "--json").document
    layers = {row["node"]: row for row in found["break_even"]["layers"]}
    spikes = found["metrics"]["spike_rates"]
    for name, row in layers.items():
        source = name.replace("mix.value", "spike").replace("mix.gate", "spike")
        if source != name:
            assert row["spikes"] and row["rate"] == pytest.approx(spikes[source])
        ends = row["break_even"]["davies2018"]
        share = row["dense_macs_per_step"] / row["synapses"]
        assert ends["low"] == pytest.approx(share * 0.3 / 23.6)
    assert (
        any(row["spikes"] for row in layers.values())
        and "E_mac / E_op" in (found["break_even"]["formula"])
    )
    said = neurossm("profile", files.integer, *DATA).out
    assert "break-even rate" in said and "below it by every set" in said
    tables = neurossm("profile", files.integer, *DATA, "--details").out
    assert "Break-even rate: activations per input and step" in tables
    assert "read these as orders of magnitude" in " ".join(tables.split())


def test_figures_go_to_a_folder_and_replace_no_file_of_others(neurossm, files, tmp_path):
    given = ("profile", files.integer, *DATA, "--ssm-mapping", "state", "--figures", tmp_path / "f")
    done = neurossm(*given, "--json").document
    assert done["figures"] == str(tmp_path / "f")
    energy = (tmp_path / "f" / "energy.csv").read_text().splitlines()
    assert energy[0] == "group,row,low_j,high_j" and energy[-1].startswith(",Total,")
    low = float(energy[-1].split(",")[2])
    assert low == done["energy"]["low_j"]
    assert f"figures: {tmp_path / 'f'}" in neurossm(*given).out
    (tmp_path / "f" / "energy.csv").write_text("mine")
    done = neurossm(*given)
    assert done.status == 2 and "expected a new file" in done.err
    assert (tmp_path / "f" / "energy.csv").read_text() == "mine"


def test_a_network_that_does_not_fit_still_has_its_counts(neurossm, files, tmp_path):
    text = (resources.files("neurossm.hardware") / "loihi2.toml").read_text(encoding="utf-8")
    chip = tmp_path / "small.toml"
    chip.write_text(
        text.replace("words_per_neuron = { value = 512", "words_per_neuron = { value = 2")
    )
    page = tmp_path / "report.html"
    given = ("profile", files.integer, *DATA, "--hardware", chip, "--html", page)
    done = neurossm(*given)
    assert done.status == 0 and "not estimated: node" in done.out and "synaptic" in done.out
    tables = neurossm(*given, "--details").out
    assert "No energy: node" in tables and "syn_ops" in tables
    assert "Not placed: node" in page.read_text()
    found = neurossm(*given, "--json").document
    assert found["energy"] is None and "expected" in found["energy_problem"]


def test_a_chip_whose_cores_are_not_published_has_the_energy_of_each_mapping(neurossm, files):
    given = ("profile", files.integer, *DATA, "--hardware", "loihi1")
    both, *each = (
        neurossm(*given, *more, "--json").document["energy"]
        for more in ((), ("--ssm-mapping", "state"), ("--ssm-mapping", "channel"))
    )
    assert not both["placed"] and both["chips"] is None and both["by_mapping"] == {}
    assert each[0]["events"] != each[1]["events"]
    assert both["low_j"] == min(one["low_j"] for one in each)
    assert both["high_j"] == max(one["high_j"] for one in each)
    assert "what a core of this chip holds is not published" in neurossm(*given).out


def test_the_baselines_have_the_accuracy_of_their_recurrences_beside_them(neurossm, files):
    found = neurossm("profile", files.integer, *DATA, "--baseline-samples", 3, "--json").document
    rows = found["energy"]["baselines"]
    assert rows["ann_int8"]["accuracy"] == rows["snn_digital"]["accuracy"] == found["accuracy"]
    assert rows["ann_float32"]["accuracy"] is None  # no --float
    for bits in (16, 8):
        row = rows[f"ann_int8_recurrence{bits}"]
        assert row["recurrence_bits"] == bits and row["accuracy_note"] == "of 3, simulated"
        assert row["accuracy"] * 3 == pytest.approx(round(row["accuracy"] * 3))
    none = neurossm("profile", files.integer, *DATA, "--baseline-samples", 0, "--json").document
    assert none["energy"]["baselines"]["ann_int8_recurrence8"]["accuracy"] is None
    wrong = neurossm("profile", files.integer, *DATA, "--baseline-samples", -1)
    assert wrong.status == 2 and "expected 0 or more, got -1" in wrong.err


def test_real_time_is_the_given_rate_and_free_running_beside_it(neurossm, files):
    given = ("profile", files.integer, *DATA, "--steps-per-second", 500)
    found = neurossm(*given, "--json").document
    case = found["real_time"]
    assert case["steps_per_second"] == 500
    assert case["seconds"] == pytest.approx(found["energy"]["steps"] / 500)
    assert case["static_j"] == pytest.approx([0.109 * case["seconds"], 0.342 * case["seconds"]])
    said = neurossm(*given, "--details").out
    assert "free-running" in said and "500 steps/s" in said
    assert "real time, 500 steps/s" in neurossm(*given).out
    refused = neurossm("profile", files.integer, *DATA, "--steps-per-second", 1e12)
    assert refused.status == 2 and "neurossm: --steps-per-second: expected 1e-09 to" in refused.err


def test_energy_is_given_at_five_spike_rates_with_its_formula(neurossm, files):
    found = neurossm("profile", files.integer, *DATA, "--json").document
    rows = found["sensitivity"]["rows"]
    assert [row["factor"] for row in rows] == [0.25, 0.5, 1.0, 2.0, 4.0]
    energy = found["energy"]
    assert rows[2]["dynamic_j"] == [energy["dynamic_low_j"], energy["dynamic_high_j"]]
    assert rows[2]["spike_rate"] == found["metrics"]["spike_rate"]["mean"]
    assert found["sensitivity"]["formula"].startswith("E(f) = ")


def test_neurobench_is_written_under_its_own_keys(neurossm, files, tmp_path):
    file = tmp_path / "neurobench.json"
    found = neurossm("profile", files.integer, *DATA, "--neurobench", file, "--json").document
    written = json.loads(file.read_text())
    assert found["neurobench"] == str(file)
    for key in ("Effective_ACs", "Effective_MACs", "Dense", "ActivationSparsity",
                "ConnectionSparsity", "Footprint", "Recurrence"):  # fmt: skip
        assert written[key] == found["metrics"]["neurobench"][key], key
    assert written["ClassificationAccuracy"] == found["accuracy"]
    assert written["Recurrence"]["State_Updates"] > 0


def test_the_profiler_counters_are_those_of_the_counts(neurossm, files):
    found = neurossm("profile", files.integer, *DATA, "--json").document
    activity = found["metrics"]["activity"]
    for key in ("syn_ops", "dendrite_updates", "spikes_in", "axon_out"):
        assert activity["total"][key] == found["counts"]["total"][key]
        busiest = activity["maximum"][key]
        assert busiest["value"] == max(c[key] for n, c in found["counts"].items() if n != "total")
        assert found["counts"][busiest["node"]][key] == busiest["value"]


def test_timings_name_what_was_timed(neurossm, files):
    given = ("profile", files.integer, "--data", "digits:test:8", "--measure-cpu")
    cpu = neurossm(*given, "--json").document["cpu"]
    assert cpu["float_network"] == "float engine on this graph"
    assert cpu["machine"]["cpu"] and cpu["energy"]
    for row in cpu["timings"]:
        assert row["batch"] in (1, 8) and row["repeats"] >= 1
        assert 0 < row["ms_per_sample"]["min"] <= row["ms_per_sample"]["median"]
        assert row["samples_per_second"] == pytest.approx(1e3 / row["ms_per_sample"]["min"])
        assert row["ms_per_step"]["min"] * 64 == pytest.approx(
            row["ms_per_sample"]["min"] * row["batch"]
        )
    with_model = neurossm(*given, "--model", files.run, "--json")
    forms = {row["form"] for row in with_model.document["cpu"]["timings"]}
    assert {"float32, PyTorch, step by step", "integers, fast engine, step by step"} <= forms


def test_wrong_use_of_the_model_is_refused(neurossm, files):
    alone = neurossm("profile", files.integer, *DATA, "--model", files.run)
    assert alone.status == 2 and "--model requires --measure-cpu" in alone.err
    other = neurossm("profile", files.integer, *DATA, "--measure-cpu", "--model", files.linear_run)
    assert other.status == 2 and "expected run: glu" in other.err
    assert "name the checkpoint that the graph was made of" in other.err
