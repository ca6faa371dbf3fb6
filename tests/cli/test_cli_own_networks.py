"""``neurossm export`` and ``import`` of networks that others wrote, with what they must say."""

from __future__ import annotations

import re

import numpy as np
import own_s4d
import pytest
import torch
from torch import nn

from neurossm.engine import run
from neurossm.interface import Interface
from neurossm.store import load

CHANNELS, STEPS = 4, 16
SOURCE = """
import numpy as np
import torch
from torch import nn
from neurossm.nodes import LIF

class Cell(nn.Module):
    def forward(self, x, u):
        u = 0.75 * u + x
        spikes = (u >= 1).to(x.dtype)
        return spikes, u * (1 - spikes)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.cell, self.head = nn.Linear(4, 6), Cell(), nn.Linear(6, 2)
    def forward(self, x):
        u, out = torch.zeros(len(x), 6), []
        for t in range(x.shape[1]):
            s, u = self.cell(self.first(x[:, t]), u)
            out.append(self.head(s))
        return torch.stack(out, 1).mean(1), u

class Larger(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 5)
    def forward(self, x):
        return self.head(x).mean(1)

class Knowing(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)
    def forward(self, x, lengths=None):
        return self.head(x).mean(1)

def of_data(in_features, classes, width=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, classes))

def of_more(in_features, colors):
    return nn.Linear(in_features, colors)

class Unknowing(Knowing):
    def forward(self, x):
        return super().forward(x)

class Fitting(nn.Module):
    def __init__(self, in_features, classes, width=5):
        super().__init__()
        self.first, self.head = nn.Linear(in_features, width), nn.Linear(width, classes)
    def forward(self, x):
        return self.head(torch.relu(self.first(x))).mean(1)

class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.u = None
    def forward(self, x):
        u = x if self.u is None else 0.75 * self.u + x
        spikes = (u >= 1).to(x.dtype)
        self.u = u * (1 - spikes)
        return spikes

class Stepping(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.cell, self.head = nn.Linear(4, 6), Remembering(), nn.Linear(6, 2)
    def forward(self, x):
        return self.head(self.cell(self.first(x)))

def leaky(builder, path, module, source):
    ones = np.ones(builder.nodes[source].out_channels)
    return builder.add(path, LIF(theta=ones, tau=0.75 * ones, rho=0 * ones, kappa=0 * ones,
                                 reset="hard"), source)

MINE = {Cell: leaky, Remembering: leaky}
WRONG = {"Cell": leaky}
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "others.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    classes = np.arange(24) % 2
    inputs = random.normal(size=(24, STEPS, CHANNELS)) + classes[:, None, None]
    lengths = random.integers(6, STEPS + 1, 24)
    lengths[0] = STEPS
    np.savez(tmp_path / "equal.npz", inputs=inputs, labels=classes)
    np.savez(tmp_path / "unlike.npz", inputs=inputs, labels=classes, lengths=lengths)
    return tmp_path


def test_converters_stand_beside_the_module_and_states_are_said(neurossm, source, data):
    target = data / "m.nssm"
    done = neurossm("export", f"{source}:Net", "--data", data / "equal.npz", "-o", target,
                    "--converters", "MINE", "--json")  # fmt: skip
    assert done.status == 0, done.err
    (note,) = done.document["notes"]
    assert "states beside its results: those of 'cell' are left out" in note and note in done.err
    assert type(load(target).nodes["cell"]).__name__ == "LIF"
    assert load(target).outputs == ("output",)


def test_a_function_may_ask_for_what_the_data_say(neurossm, source, data):
    ended = neurossm("export", f"{source}:of_data", "--data", data / "equal.npz",
                     "--readout", "mean", "-o",
                     source.parent / "d.nssm")  # fmt: skip
    assert ended.status == 0, ended.err
    graph = load(source.parent / "d.nssm")
    affine = [node for node in graph.nodes.values() if type(node).__name__ == "Affine"]
    # of four channels and two classes, by the file; three by its own default
    assert [node.weight.shape for node in affine] == [(3, 4), (2, 3)]


def test_what_else_a_function_wants_is_named(neurossm, source, data):
    ended = neurossm("export", f"{source}:of_more", "--data", data / "equal.npz", "-o",
                     source.parent / "e.nssm")  # fmt: skip
    assert ended.status == 2 and "missing 1 required positional argument: 'colors'" in ended.err
    assert "in_features, classes, vocabulary and steps are those of the data" in ended.err


def test_a_module_of_one_step_by_command(neurossm, source, data):
    given = ("export", f"{source}:Stepping", "--data", data / "equal.npz", "-o", data / "m.nssm",
             "--converters", "MINE", "--readout", "mean")  # fmt: skip
    assert neurossm(*given).status == 2
    done = neurossm(*given, "--step")
    assert done.status == 0, done.err
    graph = load(data / "m.nssm")
    assert list(graph.nodes)[:4] == ["input", "first", "cell", "head"]
    assert graph.meta["steps"] == STEPS and graph.meta["readout"] == "mean"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NOBODY", "expected a dictionary 'NOBODY'"), ("leaky", "expected a dictionary 'leaky'"),
        ("WRONG", "expected module types to functions, got 'Cell'"),
    ],
)  # fmt: skip
def test_converters_that_are_none_are_refused(neurossm, source, data, name, message):
    done = neurossm("export", f"{source}:Net", "--data", data / "equal.npz", "-o", data / "m.nssm",
                    "--converters", name)  # fmt: skip
    assert done.status == 2 and message in done.err and not (data / "m.nssm").exists()


def test_converters_are_for_modules_only(neurossm, tmp_path):
    done = neurossm("export", "binary-s4d-smnist", "-o", tmp_path / "m.nssm", "--converters", "X")
    assert done.status == 2 and "--converters: expected FILE.py:FUNCTION" in done.err


@pytest.mark.parametrize("name", ["Unknowing", "Knowing"])
def test_a_module_that_saw_the_padding_is_named_at_export_and_run(neurossm, source, data, name):
    target, told = data / "m.nssm", name == "Unknowing"
    said = "answered behind their padding"
    done = neurossm("export", f"{source}:{name}", "--data", data / "unlike.npz", "-o", target)
    assert done.status == 0, done.err
    assert (said in done.err) == told
    run_on = {n: neurossm("run", target, "--engine", "float", "--data", data / f"{n}.npz:all",
                          "--other-data").err for n in ("unlike", "equal")}  # fmt: skip
    assert (said in run_on["unlike"]) == told
    assert said not in run_on["equal"]


class S4Model(nn.Module):
    """The arrangement of state-spaces/s4's example, with batch norms in front."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(CHANNELS, 6), nn.Linear(6, 2)
        self.s4_layers = nn.ModuleList(own_s4d.S4D(6, 4) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(6) for _ in range(2))

    def forward(self, x):
        x = self.encoder(x).transpose(-1, -2)
        for s4_layer, norm in zip(self.s4_layers, self.norms, strict=True):
            z, _ = s4_layer(norm(x))
            x = z + x
        return self.decoder(x.transpose(-1, -2).mean(dim=1))


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    model = S4Model().eval()
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    path = tmp_path / "ckpt.pth"
    torch.save({"model": state, "acc": 0.9, "epoch": 3}, path)  # as example.py writes it
    return model, path


def test_a_checkpoint_of_s4_takes_scale_and_classes_from_its_data(neurossm, data, checkpoint):
    (model, path), target = checkpoint, data / "m.nssm"
    done = neurossm("import", path, "-o", target, "--data", data / "equal.npz", "--prenorm")
    assert done.status == 0, done.err
    assert "s4: the S4Model of example.py, zoh, prenorm" in done.out
    assert "readout mean" in done.out
    graph = load(target)
    scaling = Interface.of(graph).scaling
    values = np.load(data / "equal.npz")["inputs"]
    integers, _ = scaling.to_integers(values)
    found = run(graph, integers, "float", "outputs").values["output"][:, -1]
    with torch.no_grad():
        expected = model.double()(torch.tensor(scaling.to_values(integers))).numpy()
    # the segments of GELU and sigmoid
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.05 * np.abs(expected).max())
    assert np.abs(scaling.offset).max() > 0 or np.allclose(scaling.unit, scaling.unit[0])
    scored = neurossm("run", target, "--engine", "float", "--data", data / "equal.npz:all")
    assert scored.status == 0 and "accuracy" in scored.out


def test_offset_and_units_of_channels_go_into_the_encoder(checkpoint):
    from neurossm_converters.formats.torch.foreign import from_s4_checkpoint

    model, path = checkpoint
    units, offset = np.array([0.5, 0.25, 0.01, 2.0]), np.array([1.0, -3.0, 0.0, 9.8])
    graph = from_s4_checkpoint(path, steps=STEPS, scale=units, offset=offset, prenorm=True)
    integers = np.random.default_rng(1).integers(-4, 5, (2, STEPS, CHANNELS))
    found = run(graph, integers, "float", ("encoder", "output")).values
    values = torch.tensor(integers * units + offset)
    with torch.no_grad():
        expected = model.double().encoder(values).numpy()
    np.testing.assert_allclose(found["encoder"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--steps", "16", "--scale", "0.01"), "norms.0: expected a norm in front.*--prenorm"),
        (("--steps", "16", "--prenorm"), "--scale: expected it, or --data"),
        (("--scale", "0.1", "--prenorm"), "--steps: expected it, or --data"),
        (("--data", "equal.npz", "--scale", "0.1"), "--scale: expected none with --data"),
        (("--data", "equal.npz", "--prenorm", "--readout", "last"), "--readout: expected mean"),
        (("--data", "equal.npz", "--prenorm", "--reset", "none"), "--reset: expected none with"),
        (("--steps", "16", "--scale", "0.01", "--prenorm", "--from", "nir"), "--.*with --from nir"),
    ],
)
def test_what_is_not_for_a_checkpoint_is_refused(neurossm, data, checkpoint, options, message):
    given = [str(data / o) if o.endswith(".npz") else o for o in options]
    done = neurossm("import", checkpoint[1], "-o", data / "m.nssm", *given)
    assert done.status == 2 and re.search(message, done.err), done.err
    assert not (data / "m.nssm").exists()


def test_what_the_data_say_is_given_to_a_function_that_asks_for_it(neurossm, source, data):
    given = ("export", f"{source}:Fitting", "--data", data / "equal.npz", "-o", data / "m.nssm")
    done = neurossm(*given, "--nir", "off")
    assert done.status == 0, done.err
    graph = load(data / "m.nssm")
    assert graph.nodes["first"].weight.shape == (5, CHANNELS)
    assert graph.nodes["head"].weight.shape == (2, 5)


def test_a_file_without_its_function_is_named(neurossm, source, data):
    done = neurossm("export", source, "--data", data / "equal.npz", "-o", data / "m.nssm")
    assert done.status == 2
    assert "others.py': expected FILE.py:FUNCTION, got no function; name what builds" in done.err


def test_more_outputs_than_classes_are_said(neurossm, source, data):
    done = neurossm("export", f"{source}:Larger", "--data", data / "equal.npz", "-o",
                    data / "m.nssm", "--json")  # fmt: skip
    assert done.status == 0, done.err
    (note,) = done.document["notes"]
    assert "has 5 outputs, its data 2 classes" in note and note in done.err
