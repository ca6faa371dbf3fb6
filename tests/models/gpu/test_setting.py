"""Where the kernels of Triton run, and what is said where they do not."""

import subprocess
import sys

import pytest
import torch

from neurossm.errors import InputError
from neurossm_models import LIF, S4D, Network, SpikingSSMConfig
from neurossm_models.gpu import setting
from neurossm_models.gpu.setting import MOST_MODES

NOT_HERE = "form 'triton': expected float32 on a GPU, got float32 on cpu; use 'auto', or TRITON_INT"


@pytest.fixture
def compiling(monkeypatch):
    """No interpreter, whatever the environment says."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def test_they_are_refused_on_a_cpu(compiling):
    x = torch.zeros(4, 2, 5)
    for layer in (S4D(4, 4), LIF(4, tau=0.5, reset="hard")):
        layer.form = "triton"
        with pytest.raises(InputError, match=NOT_HERE):
            layer(x)
    model = Network(SpikingSSMConfig(width=4, state=4)).use(ssm="triton:tf32")
    with pytest.raises(InputError, match=NOT_HERE):
        model(torch.zeros(2, 5, 1))


def test_a_form_that_is_none_is_refused(compiling):
    model = Network(SpikingSSMConfig(width=4, state=4))
    with pytest.raises(InputError, match="did you mean 'triton:tf32'"):
        model.use(ssm="triton:tf16")
    with pytest.raises(InputError, match=r"auto, native, triton, loop.*got 'triton:tf32'"):
        model.use(neuron="triton:tf32")


def test_without_triton_the_extra_is_named(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr("neurossm.extras.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"no triton is installed; pip install 'neurossm\[gpu\]'"):
        setting.check_runs(torch.zeros(3))


def test_products_of_a_form():
    assert [setting.products_of(form) for form in setting.FORMS] == ["ieee", "tf32x3", "tf32"]
    assert [setting.form_of(one) for one in ("ieee", "tf32")] == ["triton", "triton:tf32"]
    assert all(map(setting.is_triton, setting.FORMS)) and not setting.is_triton("fft")


class Elsewhere:
    """What is asked of a tensor on a GPU."""

    def __init__(self, dtype=torch.float32, kind="cuda"):
        self.dtype, self.device = dtype, torch.device(kind)


@pytest.fixture
def ampere(monkeypatch):
    """A GPU of compute capability 8.0."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))


def test_auto_picks_them_on_gpus_that_have_triton(ampere, monkeypatch):
    assert setting.picks_triton(Elsewhere())
    assert not setting.picks_triton(Elsewhere(torch.float64))
    assert not setting.picks_triton(Elsewhere(torch.bfloat16))
    assert not setting.picks_triton(Elsewhere(kind="cpu"))
    monkeypatch.setattr(setting, "find_spec", lambda name: None)
    assert not setting.picks_triton(Elsewhere())


def test_gpus_for_which_triton_does_not_compile_are_refused(ampere, monkeypatch):
    setting.check_runs(Elsewhere())
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Turing")
    message = "expected a GPU of NVIDIA with compute capability 8.0 or more, got Turing; use 'auto'"
    for place, name, value in (
        (torch.cuda, "get_device_capability", lambda device: (7, 5)),
        (torch.version, "hip", "6.4"),
    ):
        with monkeypatch.context() as other:
            other.setattr(place, name, value)
            assert not setting.picks_triton(Elsewhere())
            with pytest.raises(InputError, match=message):
                setting.check_runs(Elsewhere())


def test_auto_of_the_layers(monkeypatch):
    """Where they can run `auto` is these kernels, if the modes fit."""
    monkeypatch.setattr(setting, "picks_triton", lambda x: x.dtype == torch.float32)
    monkeypatch.setattr("neurossm_models.diagonal.runs_natively", lambda x: False)
    monkeypatch.setattr("neurossm_models.neurons.lif.runs_natively", lambda x: False)
    x = torch.zeros(3, 1, 5)
    assert S4D(3, 4).form_for(x) == "triton"
    assert S4D(3, 2 * MOST_MODES + 2).form_for(x) == "fft"
    assert S4D(3, 4).double().form_for(x.double()) == "fft"
    neuron = LIF(3, tau=0.5, reset="hard")
    assert neuron.form_for(x) == "triton" and neuron.form_for(x.double()) == "loop"


def test_importing_the_networks_imports_no_triton():
    code = (
        "import sys, torch; had = 'triton' in sys.modules; import neurossm_models.network;"
        " from neurossm_models.families import FAMILIES; import neurossm_models.gpu.layer;"
        " assert had or 'triton' not in sys.modules, 'triton is imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
