"""What cannot be expressed is refused by its name, with what to do instead."""

from inspect import signature

import pytest
import torch
from family_networks import SCALE, STEPS, WIDTH, network
from torch import nn

from neurossm.errors import GraphError, InputError
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch import from_torch
from neurossm_models.families import FAMILIES
from neurossm_models.neurons import LIF


def refused(model: nn.Module, message: str, scale: float = SCALE) -> None:
    with pytest.raises(GraphError, match=message):
        from_torch(model, steps=STEPS, scale=scale)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bidirectional": True}, r"'blocks\.0\.ssm' \(\w+\): expected a causal layer, got a "
         r"bidirectional one; train its causal counterpart.* NAME is NAME-causal"),
        ({"norm": "layer"}, r"'blocks\.0\.norm'.*got LayerNorm; .*model\.norm = \"batch\""),
        ({"prenorm": False}, r"'blocks\.0\.norm' \(BatchNorm1d\).*model\.prenorm = true"),
        ({"readout": "pair"}, r'readout: expected one sequence an answer, got "pair"; .*"mean"'),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_settings_that_cannot_be_deployed(family, changes, message):
    if not changes.keys() <= signature(FAMILIES[family].config).parameters.keys():
        pytest.skip("a family without that setting")
    refused(network(family, **changes), message)


def test_a_post_norm_that_is_none_is_no_norm():
    model = network("spikingssm", norm="none", prenorm=False)
    assert "blocks.0.ssm" in from_torch(model, steps=STEPS, scale=SCALE).nodes


def test_the_published_ternary_threshold_names_the_one_that_deploys():
    refused(
        network("gsu", threshold="maximum"),
        r"'blocks\.0\.ternary' \(TernaryThreshold\): expected a constant .*got 0\.15 of the largest"
        r" magnitude at each step; train with model\.threshold = \"constant\"",
    )


def test_training_mode_is_refused_with_the_remedy():
    refused(
        network("binary-s4d").train(), r"evaluation mode, got training mode; call model.eval\(\)"
    )


def test_a_module_nobody_knows_is_refused_by_path_and_type():
    model = network("binary-s4d")
    model.blocks[1].spike = nn.Tanh()
    refused(model.eval(), r"module 'blocks\.1\.spike'.*got Tanh")


def test_a_converter_of_ones_own_takes_a_module_in_a_network():
    model = network("binary-s4d")
    model.blocks[1].spike = nn.Tanh()

    def tanh(builder, path, module, source):
        return builder.add(path, piecewise("tanh", WIDTH), source)

    graph = from_torch(model.eval(), steps=STEPS, scale=SCALE, converters={nn.Tanh: tanh})
    assert graph.nodes["blocks.1.spike"].function == "tanh"


class Louder(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class Sleepy(LIF):
    pass


def test_a_subclass_is_not_taken_for_its_base():
    mix = network("spikingssm")
    mix.blocks[0].mix = Louder(WIDTH, 2 * WIDTH).double()
    refused(mix.eval(), r"module 'blocks\.0\.mix'.*got Louder")
    for name in ("encoder", "decoder"):
        model = network("gsu")
        layer = getattr(model, name)
        setattr(model, name, Louder(layer.in_features, layer.out_features).double())
        refused(model.eval(), rf"module '{name}': expected Linear, got Louder")
    model = network("spike-ssm")
    model.blocks[0].neuron = Sleepy(WIDTH, tau=0.5, reset="hard")
    refused(model.eval(), r"module 'blocks\.0\.neuron'.*got Sleepy")
    model = network("gsu")
    model.blocks[1].unit = nn.Linear(WIDTH, WIDTH)
    refused(model.eval(), r"'blocks\.1\.unit': expected GatedSpikingUnit, got Linear")


def test_a_norm_without_running_statistics_is_refused():
    model = network("binary-s4d")
    model.blocks[0].ssm_norm = nn.BatchNorm1d(WIDTH, track_running_stats=False).double()
    refused(model.eval(), r"'blocks\.0\.ssm_norm'.*running statistics")


def test_a_gelu_by_tanh_is_refused():
    model = network("binary-s4d", norm="none")
    model.blocks[0].ssm_norm = nn.GELU(approximate="tanh")
    refused(model.eval(), r"'blocks\.0\.ssm_norm' \(GELU\).*approximation by tanh; use GELU")


def test_tokens_have_no_scale_and_rows_no_bound():
    model = network("spikingssm", vocabulary=5)
    refused(model, "scale: expected 1 for tokens, got 0.5", 0.5)
    model.encoder.max_norm = 1.0
    refused(model, r"'encoder' \(Embedding\).*got max_norm = 1", 1)


def test_another_model_without_an_example_is_refused():
    with pytest.raises(InputError, match="expected an example of the input, got none; from_torch"):
        from_torch(nn.Linear(2, 3).eval(), steps=STEPS, scale=SCALE)
