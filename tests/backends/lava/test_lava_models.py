"""The seam for hardware: models and configurations of others, found by their tag."""

import types

import numpy as np
import pytest

from neurossm.errors import TargetError
from neurossm_converters.backends.lava import LavaError, LavaOptions, models, run

# a model that differs where it can be seen: it spikes always
EXTENSION = """
from lava.magma.core.run_configs import Loihi2SimCfg
from neurossm_converters.backends.lava import cells
from neurossm_converters.backends.lava.models import register_configuration, register_model
from neurossm_converters.backends.lava.processes.neurons import Threshold, ThresholdModel

class AlwaysCell(cells.Threshold):
    def update(self, operands, samples, step):
        return super().update(operands, samples, step) * 0 + 1

class ChipThreshold(ThresholdModel):
    arithmetic = AlwaysCell

class ChipCfg(Loihi2SimCfg):
    pass

register_configuration("fake", lambda: ChipCfg(select_tag="fixed_pt"))
register_model(Threshold, ChipThreshold, "fake")
"""


@pytest.mark.lava
def test_a_registered_model_runs_in_place_of_ours(spiking_graph, tmp_path, monkeypatch):
    (tmp_path / "fake_chip.py").write_text(EXTENSION)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    inputs = np.zeros((1, 4, 2), np.int64)  # mix answers 0 and 1, so channel 0 is silent

    def spikes(**options):
        return run(spiking_graph, inputs, ("spike",), LavaOptions(**options))

    assert spikes().values["spike"].tolist() == [[[0, 1]] * 4]
    fake = spikes(target="fake", extensions=("fake_chip",))
    assert fake.values["spike"].tolist() == [[[1, 1]] * 4]
    with pytest.raises(LavaError, match=r"extension 'no_chip'.*No module named 'no_chip'"):
        spikes(target="fake", extensions=("no_chip",))


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(models, "_MODELS", {})
    monkeypatch.setattr(models, "_CONFIGURATIONS", {})


def model_for(process_class):
    return type("ChipModel", (), {"implements_process": process_class})


def test_a_model_is_found_by_process_and_tag(registry):
    process, other = type("Process", (), {}), type("Other", (), {})
    model = model_for(process)
    models.register_model(process, model, "chip")
    models.register_model(process, model, "chip")  # a module that is imported again
    assert models.model_of(process, "chip") is model
    assert models.model_of(process, "fixed_pt") is models.model_of(other, "chip") is None
    assert models.configuration_of("chip") is None  # Lava's simulation, with this model
    models.register_configuration("chip", types.SimpleNamespace)
    assert isinstance(models.configuration_of("chip"), types.SimpleNamespace)


def test_what_cannot_be_meant_is_refused(registry):
    process, other = type("Process", (), {}), type("Other", (), {})
    with pytest.raises(TargetError, match=r"a model that implements Process, got Other"):
        models.register_model(process, model_for(other), "chip")
    with pytest.raises(TargetError, match="a tag of its own"):
        models.register_model(process, model_for(process), "fixed_pt")
    with pytest.raises(TargetError, match="a tag of its own"):
        models.register_configuration("fixed_pt", types.SimpleNamespace)
    models.register_model(process, model_for(process), "chip")
    with pytest.raises(TargetError, match="one model for each, got ChipModel before"):
        models.register_model(process, model_for(process), "chip")
    with pytest.raises(TargetError, match=r"target 'loihi3': .*LavaOptions\.extensions"):
        models.configuration_of("loihi3")
