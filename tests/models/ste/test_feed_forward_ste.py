"""The STE network of feed-forward networks: forward the integers, backward plain loops there."""

from functools import partial

import numpy as np
import pytest
import torch
from family_networks import PIXELS, SCALE, STEPS, network
from torch.nn.functional import cross_entropy

from neurossm.engine import run as run_graph
from neurossm.quantization import Quantize
from neurossm.trace import units
from neurossm_converters.qat import QATModel
from neurossm_models.ste import ste_outputs
from neurossm_models.surrogate import heaviside
from neurossm_workflows.quantize import calibrate

LABELS = torch.tensor([0, 1, 2, 2, 1, 0])
WIDTHS = [Quantize(), Quantize(pole_bits=8, weight_bits=5, state_bits=16, activation_bits=12)]

KINDS = [("silif", {}), ("silif", {"delays": (2, 1)}), ("c-silif", {"norm": "batch"}),
         ("s5-rf", {"layers": 4})]  # fmt: skip
IDS = [" ".join((family, *map(str, changes.values()))) for family, changes in KINDS]


def traced(family, changes, settings):
    """Return a network in single precision, a batch, its QAT model, and what that made of it."""
    model = network(family, **changes).float()
    ranges = partial(calibrate, data=PIXELS)
    qat_model = QATModel(settings, ranges, steps=STEPS, scale=SCALE, bits=8)
    qat_model.calibrate(model)
    x = torch.tensor(PIXELS * SCALE, dtype=torch.float32)
    return model, x, qat_model, qat_model.run(model, PIXELS, None, record=True)


def gradients(model, logits):
    model.zero_grad()
    cross_entropy(logits, LABELS).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def at(value, given):
    """Return what is given, in double, with the derivative of `value`."""
    return value + (given.to(value.dtype) - value).detach()


@pytest.mark.parametrize("settings", WIDTHS, ids=["default", "narrow"])
@pytest.mark.parametrize(("family", "changes"), KINDS, ids=IDS)
def test_the_logits_are_those_of_the_integers(family, changes, settings):
    model, x, qat_model, run = traced(family, changes, settings)
    integer = qat_model.quantize(model)
    trace = run_graph(integer, PIXELS, "reference")
    expected = trace.values["output"][:, -1] * units(integer)["output"]
    logits = ste_outputs(model, x, run)
    assert logits.requires_grad and np.array_equal(logits.detach().double().numpy(), expected)
    assert len(np.unique(expected)) > 6  # they say something


@pytest.mark.parametrize(("family", "changes"), KINDS, ids=IDS)
def test_gradients_are_those_of_plain_loops_at_the_integer_values(family, changes):
    model, x, _, run = traced(family, changes, WIDTHS[1])  # far from the float values
    native, anywhere = (
        gradients(model, ste_outputs(model.use(neuron=form), x, run)) for form in ("native", "loop")
    )
    plain = network(family, **changes)
    theirs = gradients(plain, by_loops(plain, x.double(), run))
    assert (
        native.keys() == anywhere.keys() == theirs.keys() == dict(plain.named_parameters()).keys()
    )
    for name, expected in theirs.items():
        scale = expected.abs().max().clamp(min=1e-6)
        error = float((native[name].double() - expected).abs().max() / scale)
        assert error < 1e-3, f"{name}: {error:.1e} of the largest value"
        error = float((native[name] - anywhere[name]).abs().max() / scale)
        assert error < 1e-5, f"{name}: {error:.1e} of the largest value between forms"


def by_loops(model, x, run):
    """Return the logits of a network in double precision at the values of a run, plainly."""
    p, values, r = run.parameters, run.values, x.permute(2, 0, 1)
    for i, block in enumerate(model.blocks):
        before, name = r, f"blocks.{i}"
        weight = (block.linear or model.encoder).weight
        path = f"{name}.linear" if i else "encoder"
        norm, neuron = block.norm, block.neuron
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        offset = norm.bias - norm.running_mean * gain
        own, parameters = dynamics(neuron, model.config.family)
        own = own.repeat(len(gain) // len(own))
        weight = at((own * gain)[:, None] * weight, p[f"{path}.weight"])
        y = torch.einsum("oi,ibl->obl", weight, r) + (own * offset)[:, None, None]
        y = at(y, values[path])
        parameters = {k: at(v, p[f"{name}.neuron.{k}"])[:, None] for k, v in parameters.items()}
        run_neurons = adapting if model.config.family == "silif" else resonating
        soft = model.config.family != "s5-rf"
        s = run_neurons(y, parameters, values[f"{name}.neuron"].double(), neuron.rule, soft)
        r = arriving(s, block.delay.steps)
        if model.config.family == "s5-rf" and 0 < i < len(model.blocks) - 1:
            r = at(r + before, values[f"{name}.add"])
    weight = at(model.decoder.weight / STEPS, p["decoder.weight"])
    logits = torch.einsum("ch,hbl->bc", weight, r) + model.decoder.bias
    return at(logits, run.logits)


def dynamics(neuron, family):
    """Return the gain in front, and the parameters of the node, by the equations of the papers."""
    dt = neuron.log_dt.exp()
    if family == "silif":
        alpha = (-neuron.log_leak.exp() * dt).exp()
        beta = (-neuron.log_decay.exp() * dt).exp()
        a, b = neuron.a.clamp(0, 1), neuron.b.clamp(0, 2)
        return 1 - alpha, {"tau": alpha, "rho": beta, "a": (1 - alpha) * a, "b": (1 - alpha) * b}
    size, turned = (-neuron.log_decay.exp() * dt).exp(), neuron.frequency * dt
    pole = {"a_re": size * turned.cos(), "a_im": size * turned.sin()}
    return (2 * neuron.b if family == "c-silif" else dt), pole


def arriving(s, delays):
    """Return the spikes (H, B, L) that are there at each step: feature h waits for one of them."""
    if not delays:
        return s
    rows = []
    for h, row in enumerate(s):
        n = delays[h % len(delays)]
        rows.append(torch.cat([torch.zeros_like(row[:, :n]), row[:, : row.shape[1] - n]], 1))
    return torch.stack(rows)


def adapting(y, p, spikes, rule, soft):
    u = w = torch.zeros_like(y[..., 0])
    fired = []
    for y_t, given in zip(y.unbind(-1), spikes.unbind(-1), strict=True):
        v = p["tau"] * u + y_t - w
        s = at(heaviside(v - 1, rule.surrogate), given)
        u, w = v - s, p["rho"] * w + p["a"] * v + p["b"] * s
        fired.append(s)
    return torch.stack(fired, -1)


def resonating(y, p, spikes, rule, soft):
    features = len(spikes)
    re = im = torch.zeros_like(y[:features, :, 0])
    fired = []
    for y_t, given in zip(y.unbind(-1), spikes.unbind(-1), strict=True):
        d_im = y_t[features:] if len(y_t) > features else 0
        re, im = (p["a_re"] * re - p["a_im"] * im + y_t[:features],
                  p["a_re"] * im + p["a_im"] * re + d_im)  # fmt: skip
        s = at(heaviside(re - 1, rule.surrogate), given)
        re = re - s if soft else re
        fired.append(s)
    return torch.stack(fired, -1)
