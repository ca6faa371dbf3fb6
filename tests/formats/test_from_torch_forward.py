"""What is exported is what forward computes: wrappers, hooks, computed parameters, types."""

import warnings

import numpy as np
import pytest
import torch
from family_networks import PIXELS, SCALE, STEPS, WIDTH, network, pixels
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from neurossm.engine import run
from neurossm.errors import GraphError, InputError
from neurossm_converters.formats.torch import from_torch
from neurossm_models import s4d
from neurossm_models.families import FAMILIES, binary_s4d
from neurossm_models.network import Network


def exported(model):
    return from_torch(model, steps=STEPS, scale=SCALE)


def logits_of(graph):
    return run(graph, PIXELS, "float").values["output"][:, -1]


def linear(**changes):
    """Return a network without segments: its graph is the network to rounding."""
    return network("binary-s4d", mixing="linear", **changes)


def assert_is_forward(model, before=None):
    """Export gives what forward computes; and `before` is something else."""
    graph = exported(model)
    with torch.no_grad():
        expected = model(pixels(linear())).numpy()
    np.testing.assert_allclose(logits_of(graph), expected, rtol=1e-8, atol=1e-9)
    if before is not None:
        assert np.abs(expected - before).max() > 1e-3, "the test changes nothing"


# -- wrappers ------------------------------------------------------------------


def compiled(model):
    return torch.compile(model, backend="eager")


def distributed(model):
    """A `DistributedDataParallel` has the network as `module`; making one needs processes."""
    wrapper = nn.parallel.DistributedDataParallel.__new__(nn.parallel.DistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = model
    return wrapper


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


@pytest.mark.parametrize(
    "wrap",
    [compiled, nn.DataParallel, distributed, compiled_in_place,
     lambda model: compiled(nn.DataParallel(model))],
    ids=["compile", "DataParallel", "DDP", "in place", "both"],
)  # fmt: skip
def test_a_wrapper_that_computes_the_same_is_taken_off(wrap):
    expected = logits_of(exported(linear()))
    np.testing.assert_array_equal(logits_of(exported(wrap(linear()).eval())), expected)


def test_a_compiled_part_is_taken_off_and_the_network_keeps_it():
    model = linear()
    before = logits_of(exported(model))
    model.blocks[1] = compiled(model.blocks[1])
    np.testing.assert_array_equal(logits_of(exported(model)), before)
    assert type(model.blocks[1]).__name__ == "OptimizedModule"


def test_a_hook_of_the_wrapper_is_not_taken_off_with_it():
    wrapper = nn.DataParallel(linear())
    wrapper.register_forward_hook(lambda *_: None)
    with pytest.raises(GraphError, match=r"model \(DataParallel\): expected no forward hooks"):
        exported(wrapper)


# -- hooks and methods ---------------------------------------------------------


def negate(module, inputs, output):
    return -output


@pytest.mark.parametrize("path", ["", "encoder", "blocks.0", "blocks.1.ssm", "blocks.1.ssm_norm",
                                  "blocks.0.dropout", "decoder"])  # fmt: skip
def test_a_hook_is_refused_by_name_and_path(path):
    for register in ("register_forward_hook", "register_forward_pre_hook"):
        model = linear()
        handle = getattr(model.get_submodule(path), register)(negate)
        where = rf"module '{path}' \(" if path else r"model \(Network\)"
        with pytest.raises(GraphError, match=rf"{where}.*got the hook 'negate'; remove it"):
            exported(model)
        handle.remove()  # the remedy
        exported(model)


def test_a_hook_of_every_module_is_refused():
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(GraphError, match="every module: expected no forward hooks"):
            exported(linear())
    finally:
        handle.remove()


def test_hooks_that_forward_does_not_see_change_nothing():
    model = linear()
    model.decoder.register_full_backward_hook(lambda *_: None)
    model.register_state_dict_pre_hook(lambda *_: None)
    assert_is_forward(model)


def test_a_method_replaced_on_an_instance_is_refused():
    model = linear()
    model.blocks[0].spike.forward = lambda v: torch.zeros_like(v)
    with pytest.raises(GraphError, match=r"'blocks\.0\.spike' \(Spike\).*got 'forward' replaced"):
        exported(model)
    del model.blocks[0].spike.forward  # the remedy
    assert_is_forward(model)


def test_a_method_replaced_in_a_class_is_found_by_the_example(monkeypatch):
    model = linear()
    ours = s4d.S4D.forward
    with monkeypatch.context() as patch:
        patch.setattr(s4d.S4D, "forward", lambda self, u: -ours(self, u))
        with pytest.raises(GraphError, match=r"module 'blocks\.0 \(spike\)': expected what its "
                           "forward computes on a random example, got a graph with"):  # fmt: skip
            exported(model)
    mixes = binary_s4d.mix
    with monkeypatch.context() as patch:
        patch.setattr(binary_s4d, "mix", lambda one, x: 2 * mixes(one, x))
        with pytest.raises(GraphError, match=r"module 'blocks\.0'.*a graph that differs by"):
            exported(model)
    forward = Network.forward
    with monkeypatch.context() as patch:
        patch.setattr(Network, "forward", lambda self, x, n=None: 1 + forward(self, x, n))
        with pytest.raises(GraphError, match="model: expected what its forward computes"):
            exported(model)
    exported(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_example_passes_every_family_in_either_precision(family):
    for model in (network(family), network(family).float(), network(family, layers=1)):
        exported(model)


# -- computed parameters -------------------------------------------------------


def old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(layer)
    with torch.no_grad():
        layer.weight_g.mul_(3)


def old_spectral_norm(layer):
    nn.utils.spectral_norm(layer)
    with torch.no_grad():
        layer.weight_orig.mul_(5)


def pruned(layer):
    prune.random_unstructured(layer, "weight", 0.5)
    prune.l1_unstructured(layer, "bias", 1)
    with torch.no_grad():
        layer.weight_orig.mul_(2)


def weight_norm(layer):
    parametrizations.weight_norm(layer)
    with torch.no_grad():
        layer.parametrizations.weight.original0.mul_(3)


def spectral_norm(layer):
    parametrizations.spectral_norm(layer)
    layer.eval()


class Absolute(nn.Module):
    def forward(self, weight):
        return weight.abs()


COMPUTED = [old_weight_norm, old_spectral_norm, pruned, weight_norm, spectral_norm]


@pytest.mark.parametrize("compute", COMPUTED)
@pytest.mark.parametrize("path", ["encoder", "blocks.0.mix", "decoder"])
def test_a_computed_weight_is_exported_as_forward_computes_it(compute, path):
    model = linear()
    before = logits_of(exported(model))
    torch.manual_seed(0)
    compute(model.get_submodule(path))
    assert_is_forward(model.eval(), before)
    assert any("weight_" in name or "original" in name for name, _ in model.named_parameters())


def test_parametrized_parts_of_ours_are_exported_as_forward_computes_them():
    model = linear()
    before = logits_of(exported(model))
    parametrize.register_parametrization(model.blocks[0].ssm, "d", Absolute())
    parametrize.register_parametrization(model.blocks[1].norm, "weight", Absolute())
    parametrize.register_parametrization(model.blocks[1].spike, "theta", Absolute())
    assert_is_forward(model, before)


@pytest.mark.parametrize("family", ["spikingssm", "gsu"])
def test_other_families_pass_with_computed_weights(family):
    model = network(family).float()
    pruned(model.encoder)
    old_weight_norm(model.decoder)
    if family == "spikingssm":
        old_weight_norm(model.blocks[0].mix)
    graph = exported(model.eval())
    mask = model.encoder.weight_mask.numpy()
    np.testing.assert_array_equal(graph.nodes["encoder"].weight[mask == 0], 0)


def test_the_native_kernels_leave_hooked_layers_to_the_layers():
    """A hook that computes a weight runs at every call of a block, in float32 too."""
    model = linear().float()
    plain = linear().float()
    old_weight_norm(model.blocks[0].mix)  # three times the weight
    with torch.no_grad():
        plain.blocks[0].mix.weight.mul_(3)
        got, expected = (m(pixels(model)) for m in (model, plain))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


# -- types and numbers ---------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_as_the_numbers_that_it_is_and_that_is_said(dtype):
    model = linear().to(dtype)
    with pytest.warns(UserWarning, match=rf"weights in {str(dtype)[6:]} are taken as the real"):
        graph = exported(model)
    with torch.no_grad():
        expected = model.double()(pixels(linear())).numpy()
    np.testing.assert_allclose(logits_of(graph), expected, rtol=1e-8, atol=1e-9)


def test_numbers_of_fewer_than_sixteen_bits_are_refused():
    model = linear()
    model.decoder.weight = nn.Parameter(model.decoder.weight.to(torch.float8_e4m3fn), False)
    with pytest.raises(GraphError, match=r"module 'decoder' weight: expected float16 or wider, got "
                       r"float8_e4m3fn; call model\.float\(\)"):  # fmt: skip
        exported(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused_by_path(value):
    model = linear()
    with torch.no_grad():
        model.blocks[1].mix.bias[2] = value
    with pytest.raises(GraphError, match=r"module 'blocks\.1\.mix' bias: expected finite numbers, "
                       rf"got {value} \(1 of {WIDTH}\)"):  # fmt: skip
        exported(model)


def test_a_network_without_numbers_is_refused():
    with pytest.raises(GraphError, match=r"module 'encoder' weight: .*on the device 'meta'"):
        exported(linear().to("meta"))


def test_a_part_in_training_mode_is_refused_where_it_matters():
    model = linear()
    model.blocks[0].ssm_norm.train()
    with pytest.raises(GraphError, match=r"'blocks\.0\.ssm_norm' .*evaluation mode, got training"):
        exported(model)
    model.eval().blocks[0].spike.train()  # spikes are the same in both
    exported(model)


def test_a_network_quantized_by_pytorch_is_named_as_what_it_is():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(linear().float(), {nn.Linear})
    with pytest.raises(
        GraphError,
        match=r"module 'encoder': expected Linear, got torch\.ao\.nn\."
        r"quantized\.dynamic\..*Linear; export the network as it was before",
    ):
        exported(model)


# -- arguments -----------------------------------------------------------------


def test_what_never_was_a_module_is_not_asked_for_as_it_was_before():
    with pytest.raises(GraphError) as refused:
        from_torch(3, None)
    assert str(refused.value) == "model: expected an nn.Module, got int"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps: expected a whole number, 1 to 2147483647, got 0"),
        ({"steps": -3}, "steps: .*got -3"),
        ({"steps": 2.5}, "steps: .*got 2.5"),
        ({"scale": 0}, "scale: expected a finite number above 0, got 0"),
        ({"scale": -1.0}, "scale: .*got -1.0"),
        ({"scale": float("nan")}, "scale: .*got nan"),
        ({"scale": float("inf")}, "scale: .*got inf"),
        ({"scale": "1"}, "scale: .*got '1'"),
        ({"bits": 0}, "bits: expected a whole number, 1 to 23, got 0"),
        ({"bits": 24}, "bits: .*got 24"),
    ],
)
def test_arguments_that_make_no_graph_are_named(changes, message):
    with pytest.raises(InputError, match=f"from_torch {message}"):
        from_torch(linear(), **{"steps": STEPS, "scale": SCALE, **changes})
