"""Networks of all families by kernels of Triton against their plain forms."""

import copy

import pytest
import torch
from small_networks import NAMES, network
from torch import nn

from neurossm.errors import InputError
from neurossm_models import LIF, S4D
from neurossm_models.gpu.setting import interpreted

pytestmark = [  # NumPy's, of infinities, and of what the interpreter does with arrays
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def step(model, x, labels):
    """Take one step of training; return loss, gradients, and weights and buffers after it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    loss = nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    grads = {name: p.grad.double() for name, p in model.named_parameters() if p.grad is not None}
    optimizer.step()
    return loss.item(), grads, model.state_dict()


def pair_of(family, **changes):
    model = network(family, **{"width": 4, "layers": 1, **changes}).float().train()
    plain = copy.deepcopy(model).double().use(ssm="fft", neuron="loop")
    return model.use(ssm="triton", neuron="triton"), plain


def compare(model, plain, length=40):
    torch.manual_seed(length)
    x, labels = torch.randn(3, length, 2), torch.tensor([0, 2, 1])
    loss, grads, after = step(model, x, labels)
    expected, expected_grads, expected_after = step(plain, x.double(), labels)
    assert loss == pytest.approx(expected, rel=1e-5)
    largest = max(grad.abs().max() for grad in expected_grads.values())
    assert grads.keys() == expected_grads.keys()
    for name, grad in expected_grads.items():
        # before a batch norm some gradients are zero, and rounding is all that is left of them
        scale = grad.abs().max().clamp(min=1e-3 * largest)
        error = (grads[name] - grad).abs().max() / scale
        assert error < 1e-4, f"{name}: {error:.1e} of the largest"
    for name, one in expected_after.items():
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(after[name].double(), one.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", NAMES)
def test_a_step_of_training_is_that_of_the_plain_forms(family):
    model, plain = pair_of(family)
    block = model.blocks[0]
    assert block.fused(torch.zeros(4, 1, 1)) and not block.native(torch.zeros(4, 1, 1))
    with_membrane = family in ("spikingssm", "spike-ssm")
    assert (block.fused_neurons(torch.zeros(4, 1, 1)) is not None) == with_membrane
    compare(model, plain)


def test_spikes_that_are_delayed_leave_the_kernel_at_their_time():
    model, plain = pair_of("spikingssm", delays=(1, 33))
    assert model.blocks[0].fused_neurons(torch.zeros(4, 1, 1)) is not None
    compare(model, plain)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("binary-s4d", {"bidirectional": True}),
        ("spikingssm", {"norm": "layer"}),
        ("spike-ssm", {"prenorm": False}),
    ],
)
def test_blocks_whose_parts_do_not_join_run_part_by_part(family, changes):
    model, plain = pair_of(family, **changes)
    assert not model.blocks[0].fused(torch.zeros(4, 1, 1))
    compare(model, plain, length=33)


def test_a_neuron_of_another_form_stays_behind_the_kernel():
    model, plain = pair_of("spike-ssm")
    model.use(ssm="triton:tf32", neuron="boundary")
    block = model.blocks[0]
    assert block.fused(torch.zeros(4, 1, 1)) and block.fused_neurons(torch.zeros(4, 1, 1)) is None
    x = torch.randn(2, 20, 2)
    with torch.no_grad():
        expected = plain.eval()(x.double()).float()
        torch.testing.assert_close(model.eval()(x), expected, rtol=1e-4, atol=1e-5)


def test_only_float32_is_run():
    for layer in (S4D(3, 4), LIF(3, tau=0.5, reset="hard")):
        layer.form = "triton"
        x = torch.randn(3, 2, 5)
        assert layer(x).shape == x.shape
        with pytest.raises(InputError, match="expected float32 on a GPU, got float64 on"):
            layer.double()(x.double())


def test_auto_is_native_on_a_cpu_and_these_kernels_on_a_gpu():
    expected = "native" if interpreted() else "triton"
    assert S4D(3, 4).form_for(torch.zeros(3, 1, 5)) == expected
    assert LIF(3, tau=0.5, reset="hard").form_for(torch.zeros(3, 1, 5)) == expected
