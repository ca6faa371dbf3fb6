"""Diagonal layers of state-spaces/s4, as modules and as checkpoints, against its own numbers.

tests/fixtures/s4/README.md says where the numbers come from.
"""

from pathlib import Path

import numpy as np
import own_s4d
import pytest
import torch
from foreign_bench import builder, graph_of, refusal
from torch import nn

from neurossm.engine import run
from neurossm.errors import FormatError, GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Input, Output
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch.foreign import foreign_converters
from neurossm_converters.formats.torch.foreign.s4_checkpoint import (
    add_s4d,
    from_s4_checkpoint,
    load_state,
    s4d_layers,
)
from neurossm_models import s4d as ours

RECORDED = dict(np.load(Path(__file__).parents[1] / "fixtures" / "s4" / "recorded.npz"))
LAYERS = {"s4d": "zoh", "s4block-zoh": "zoh", "s4block-bilinear": "bilinear"}
UNIT = 128  # of the recorded inputs
SEGMENTS = 0.03  # what the segments of GELU and sigmoid may change in these outputs


def state_of(name):
    start = f"{name}/state/"
    return {k.removeprefix(start): torch.tensor(v) for k, v in RECORDED.items() if start in k}


def layer_graph(state, channels=6, method="zoh"):
    made = builder()
    source = made.add("input", Input(channels=channels, out=Fixed(12, 7)))
    source = add_s4d(made, "m", state, source, method)
    made.add("output", Output(channels=channels), source)
    return Graph(made.nodes, tuple(made.edges))


def steps_first(values):
    """(B, H, L) of the repository as (B, L, H)."""
    return np.ascontiguousarray(np.swapaxes(values, 1, 2))


def agrees(graph, name):
    inputs = steps_first(np.rint(RECORDED[f"{name}/x"] * UNIT).astype(np.int64))
    values = run(graph, inputs, "float", tuple(graph.nodes)).values
    ssm = RECORDED[f"{name}/ssm"]
    ssm = ssm if name.startswith("s4block") else steps_first(ssm)  # it filters (B, L, H)
    np.testing.assert_allclose(values["m.ssm"], ssm, rtol=0, atol=1e-11 * np.abs(ssm).max())
    expected = steps_first(RECORDED[f"{name}/y"])
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(values["output"], expected, rtol=0, atol=SEGMENTS)
    return inputs


@pytest.mark.parametrize("name", LAYERS)
def test_a_bare_state_gives_what_the_repository_computes(name):
    graph = layer_graph(state_of(name), method=LAYERS[name])
    inputs = agrees(graph, name)
    integer = Quantize()(graph, calibrate(graph, run(graph, inputs, "float", "outputs")))
    reference, fast = (run(integer, inputs, engine, "outputs") for engine in ("reference", "fast"))
    got = reference.values["output"]
    np.testing.assert_array_equal(got, fast.values["output"])
    real = got * 2.0 ** -np.asarray(integer.nodes["output"].out.frac, float)
    error = np.sqrt(np.mean((real - steps_first(RECORDED[f"{name}/y"])) ** 2))
    assert error < 0.05 * RECORDED[f"{name}/y"].std()


def test_the_names_of_older_code_are_the_same_layer():
    older = {}
    for key, value in state_of("s4block-zoh").items():
        key = key.removeprefix("layer.").replace("kernel.", "kernel.kernel.")
        key = key.replace("inv_dt", "log_dt").replace("A_real", "log_w_real")
        value = value[:, 0] if key.endswith("log_dt") else value
        older[key.replace("A_imag", "w_imag")] = -value if key.endswith("A_imag") else value
    assert "kernel.kernel.w_imag" in older
    agrees(layer_graph(older), "s4block-zoh")


# -- as modules ----------------------------------------------------------------


def own_layer(**settings):
    layer = own_s4d.S4D(6, 4, **settings).eval()
    layer.load_state_dict(state_of("s4d"))
    return layer


def test_the_layer_of_the_tests_computes_what_the_repository_does():
    with torch.no_grad():
        found, _ = own_layer().double()(torch.tensor(RECORDED["s4d/x"]))
    np.testing.assert_allclose(found, RECORDED["s4d/y"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_copy_of_the_class_is_found_by_its_names(dtype):
    assert own_s4d.S4D in foreign_converters()
    assert ours.S4D not in foreign_converters()
    agrees(graph_of(own_layer().to(dtype), 6, 12, 7), "s4d")


def own_block(name, **settings):
    count = state_of(name)["layer.kernel.A_real"].shape[0]
    block = own_s4d.S4Block(6, 4, LAYERS[name], count, **settings).eval()
    block.load_state_dict(state_of(name))
    return block


@pytest.mark.parametrize("name", ["s4block-zoh", "s4block-bilinear"])
def test_a_copy_of_the_whole_block_is_found_too(name):
    block = own_block(name)
    with torch.no_grad():
        found, _ = block.double()(torch.tensor(RECORDED[f"{name}/x"]))
    np.testing.assert_allclose(found, RECORDED[f"{name}/y"], rtol=0, atol=1e-11)
    agrees(graph_of(block, 6, 12, 7), name)


def test_a_block_with_what_no_node_has_is_refused():
    changes = {
        "gate: expected None": lambda b: setattr(b, "gate", 2),
        "layer.bidirectional": lambda b: setattr(b.layer, "bidirectional", True),
        "layer.L: expected None": lambda b: setattr(b.layer, "L", 1024),
        "disc='zoh' or 'bilinear'": lambda b: setattr(b.layer.kernel, "disc", "dss"),
        "one step a channel": lambda b: setattr(
            b.layer.kernel, "inv_dt", nn.Parameter(torch.rand(6, 4))
        ),
        "mult_activation: expected Identity": lambda b: setattr(b, "mult_activation", nn.GELU()),
    }
    for message, change in changes.items():
        block = own_block("s4block-zoh")
        change(block)
        assert message in refusal(block, 6)


class Doubled(own_s4d.S4DKernel):
    def forward(self, L):
        return 2 * super().forward(L)


def test_a_layer_that_computes_another_thing_is_refused():
    layer = own_layer()
    layer.kernel = Doubled(6, 4)
    assert "kernel: expected the kernel of its poles" in refusal(layer, 6)
    layer = own_layer()
    layer.activation = nn.ReLU()
    assert "activation: expected GELU" in refusal(layer, 6)
    layer = own_layer()
    layer.activation = nn.GELU("tanh")
    assert "activation: expected GELU" in refusal(layer, 6)
    layer = own_layer()
    layer.output_linear = nn.Conv1d(6, 6, 1)
    assert "a linear map and a GLU" in refusal(layer, 6)
    assert "model.eval()" in refusal(own_layer(dropout=0.1).train(), 6)


# -- whole checkpoints ---------------------------------------------------------


def logits(graph):
    inputs = np.rint(RECORDED["model/x"] * UNIT).astype(np.int64)
    return run(graph, inputs, "float", "outputs").values["output"][:, -1], inputs


MODEL = {"steps": 50, "scale": 1 / UNIT, "prenorm": True}


def test_a_checkpoint_gives_the_logits_of_its_model(tmp_path):
    state = state_of("model")
    files = {
        "bare.pt": state,
        "example.pth": {"model": state, "acc": 51.2, "epoch": 3},
        "lightning.ckpt": {"state_dict": {f"model.{k}": v for k, v in state.items()}},
        "parallel.pt": {f"module.{k}": v for k, v in state.items()},
    }
    for name, content in files.items():
        torch.save(content, tmp_path / name)
        graph = from_s4_checkpoint(tmp_path / name, **MODEL, dt=1e-3)
        found, inputs = logits(graph)
        expected = RECORDED["model/y"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=SEGMENTS)
        assert np.abs(expected).max() > 10 * SEGMENTS
        assert graph.dt == 1e-3
    integer = Quantize()(graph, calibrate(graph, run(graph, inputs, "float", "outputs")))
    both = [run(integer, inputs, e, "outputs").values["output"] for e in ("reference", "fast")]
    np.testing.assert_array_equal(*both)
    real = both[0][:, -1] * 2.0 ** -np.asarray(integer.nodes["output"].out.frac, float)
    np.testing.assert_allclose(real, expected, rtol=0, atol=3 * SEGMENTS)


def test_the_layers_of_a_file_are_listed_by_their_paths(tmp_path):
    torch.save(state_of("model"), tmp_path / "m.pt")
    layers = s4d_layers(load_state(tmp_path / "m.pt"))
    assert list(layers) == ["s4_layers.0", "s4_layers.1"]
    assert set(layers["s4_layers.1"]) == set(state_of("s4d"))
    (block,) = s4d_layers({f"a.b.{k}": v for k, v in state_of("s4block-zoh").items()})
    assert block == "a.b"


class Options:
    ran = False

    def __reduce__(self):
        return (_run_me, ())


def _run_me():
    Options.ran = True
    return Options()


def test_a_file_that_needs_code_is_refused_and_none_of_it_runs(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save({"state_dict": state_of("model"), "hyper_parameters": Options()}, path)
    Options.ran = False
    with pytest.raises(
        FormatError, match=r"tensors alone, got an object of .*_run_me.*torch\.save"
    ):
        load_state(path)
    assert not Options.ran
    torch.save(own_layer(), path)
    with pytest.raises(FormatError, match=r"an object of own_s4d\.S4D"):
        load_state(path)
    torch.save(own_layer().state_dict(), path)  # the remedy
    assert load_state(path).keys() == state_of("s4d").keys()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x80\x02}q\x00."])
def test_a_file_that_is_none_gets_one_line(tmp_path, content):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        load_state(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="a file to read"):
        load_state(tmp_path / "none.pt")
    torch.save({"a": state_of("s4d"), "b": 3}, path)
    with pytest.raises(FormatError, match="'a': expected a tensor, got dict"):
        load_state(path)


def changed(name="model", drop="", **tensors):
    kept = {k: v for k, v in state_of(name).items() if not drop or not k.endswith(drop)}
    return kept | tensors


@pytest.mark.parametrize(
    ("state", "settings", "message"),
    [
        (changed(drop="running_var"), {}, "norms.0: expected BatchNorm1d.* got LayerNorm"),
        (changed(), {"prenorm": False}, "in front of its layer"),
        (changed(drop="1.kernel.log_dt"), {}, "log_dt or inv_dt, got none"),
        (changed(**{"head.weight": torch.ones(2)}), {}, "'head.weight'"),
        (changed(**{"decoder.bias": torch.full((3,), torch.nan)}), {}, "finite"),
        (changed(**{"s4_layers.0.kernel.P": torch.ones(2)}), {}, "low-rank"),
        (changed(**{"s4_layers.0.output_linear.0.weight": torch.ones(8, 8)}), {}, "glu"),
        (changed(**{"s4_layers.0.kernel.C": torch.ones(2, 8, 3, 2)}), {}, "channels=1"),
        (changed(), {"scale": 0.0}, "above 0"),
        (changed(), {"bits": 24}, "1 to 23"),
        (changed(), {"method": "dss"}, r"zoh \| bilinear"),
    ],
)
def test_what_cannot_be_expressed_is_named(state, settings, message):
    with pytest.raises((GraphError, InputError), match=message):
        from_s4_checkpoint(state, **(MODEL | settings))


def test_a_model_without_norms_needs_none():
    state = {k: v for k, v in state_of("model").items() if not k.startswith("norms")}
    graph = from_s4_checkpoint(state, **(MODEL | {"prenorm": False}))
    assert np.isfinite(logits(graph)[0]).all()


def test_a_class_of_the_same_name_that_is_built_otherwise_is_refused():
    layer = own_layer()
    del layer.kernel.log_dt
    assert "a part 'kernel.log_dt'" in refusal(layer, 6)
