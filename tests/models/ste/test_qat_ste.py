"""The forward pass is the deployed integer network; the backward pass that of its STE network."""

from functools import partial

import family_networks
import numpy as np
import pytest
import torch
from family_networks import PIXELS, SCALE, STEPS, use_segments
from torch.nn.functional import cross_entropy

from neurossm.engine import run as run_graph
from neurossm.quantization import Quantize, calibrate
from neurossm.store import load, save
from neurossm.trace import units
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.qat import QATModel
from neurossm_models.families.gsu import ternary
from neurossm_models.ste import ste_outputs
from neurossm_models.ste.folding import FoldedSSM, gain_of
from neurossm_models.surrogate import heaviside
from neurossm_workflows.quantize import calibrate as ranges_on_data

LABELS = torch.tensor([0, 1, 2, 2, 1, 0])
KINDS = [
    ("binary-s4d", {}), ("binary-s4d", {"mixing": "linear"}), ("gsu", {}), ("spikingssm", {}),
    ("spikingssm", {"mixing": "linear"}), ("spike-ssm", {}), ("binary-s4d", {"delays": (2,)}),
    ("spikingssm", {"delays": (1, 3)}), ("prf", {"train_threshold": True}),
    ("d-rf", {"train_threshold": True}),
]  # fmt: skip
IDS = [" ".join((family, *map(str, changes.values()))) for family, changes in KINDS]
WIDTHS = [Quantize(), Quantize(pole_bits=8, weight_bits=5, state_bits=16, activation_bits=12)]
EXPORT = {"steps": STEPS, "scale": SCALE, "bits": 8}


def qat_model_of(model, settings=WIDTHS[0], inputs=PIXELS):
    qat_model = QATModel(settings, partial(ranges_on_data, data=inputs), **EXPORT)
    qat_model.calibrate(model)
    return qat_model


def traced(family, changes, settings=WIDTHS[0]):
    """Return a network in single precision, a batch, and what its QAT model made of it."""
    model = family_networks.network(family, **changes).float()
    x = torch.tensor(PIXELS * SCALE, dtype=torch.float32)
    return model, x, qat_model_of(model, settings).run(model, PIXELS, None, record=True)


@pytest.mark.parametrize("settings", WIDTHS, ids=["default", "narrow"])
@pytest.mark.parametrize(("family", "changes"), KINDS, ids=IDS)
def test_the_logits_are_those_of_the_reference_on_the_quantized_file(
    family, changes, settings, tmp_path
):
    model, x, run = traced(family, changes, settings)
    save(tmp_path / "m.nssm", from_torch(model, **EXPORT))
    floating = load(tmp_path / "m.nssm")
    ranges = calibrate(floating, run_graph(floating, PIXELS, "float", "outputs"))
    save(tmp_path / "m.int.nssm", settings(floating, ranges))
    integer = load(tmp_path / "m.int.nssm")

    trace = run_graph(integer, PIXELS, "reference")
    logits = ste_outputs(model, x, run)
    expected = trace.values["output"][:, -1] * units(integer)["output"]
    assert logits.requires_grad and np.array_equal(logits.detach().double().numpy(), expected)
    assert len(np.unique(expected)) > 6  # they say something
    assert {name.partition(".")[0] for name in run.values} == {"encoder", "blocks"}
    for name in run.values:
        real = trace.values[name].transpose(2, 0, 1) * units(integer)[name]
        assert np.array_equal(run.values[name].double().numpy(), real), name
    assert run.saturations == trace.saturations()


@pytest.mark.parametrize(("family", "changes"), KINDS, ids=IDS)
def test_the_live_parameters_are_those_that_the_exporter_folds(family, changes):
    model = family_networks.network(family, **changes).float()
    graph = from_torch(model, **EXPORT)
    for i, block in enumerate(model.blocks):
        node = graph.nodes[f"blocks.{i}.ssm"]
        c = np.asarray(node.c_re) + 1j * np.asarray(node.c_im)
        expected = {
            "pole": np.asarray(node.a_re) + 1j * np.asarray(node.a_im),
            "weight": c * (np.asarray(node.b_re) + 1j * np.asarray(node.b_im)),
            "drive": c * (np.asarray(node.drive_re) + 1j * np.asarray(node.drive_im)),
            "d": np.asarray(node.d),
            "bias": np.asarray(node.bias),
        }
        folded = FoldedSSM.of(block, behind(block))
        for name, values in expected.items():
            ours = getattr(folded, name).detach().numpy()
            assert np.allclose(ours, values, atol=1e-5 * np.abs(values).max()), name


def behind(block):
    """Return gain and offset between the state space layer and the spikes of a block."""
    if hasattr(block, "neuron"):
        return (-block.neuron.log_theta).exp(), torch.zeros(())
    if hasattr(block, "spatial"):
        return torch.ones(()), torch.zeros(())
    return gain_of(block.ssm_norm)


FORMS = [{"ssm": "native", "neuron": "native"}, {"ssm": "fft", "neuron": "loop"}]


@pytest.mark.parametrize(("family", "changes"), KINDS, ids=IDS)
def test_gradients_are_those_of_plain_loops_at_the_integer_values(family, changes):
    model, x, run = traced(family, changes, WIDTHS[1])  # far from the float values
    native, anywhere = (
        gradients(model, ste_outputs(model.use(**forms), x, run)) for forms in FORMS
    )
    plain = family_networks.network(family, **changes)
    theirs = gradients(plain, by_loops(plain, x.double(), run))
    assert native.keys() == anywhere.keys() == theirs.keys()
    for name, expected in theirs.items():
        scale = expected.abs().max().clamp(min=1e-6)
        error = float((native[name].double() - expected).abs().max() / scale)
        assert error < 1e-3, f"{name}: {error:.1e} of the largest value"
        error = float((native[name] - anywhere[name]).abs().max() / scale)
        assert error < 1e-5, f"{name}: {error:.1e} of the largest value between forms"


@pytest.mark.parametrize(("family", "changes"), KINDS, ids=IDS)
def test_gradients_point_where_those_of_the_float_network_do(family, changes, monkeypatch):
    model, x, run = traced(family, changes)
    ours = gradients(model, ste_outputs(model, x, run))
    use_segments(monkeypatch)
    plain = family_networks.network(family, **changes).use(ssm="fft", neuron="loop")
    theirs = gradients(plain, plain(x.double()))
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        a, b = ours[name].double().flatten(), expected.flatten()
        assert float(a @ b / (a.norm() * b.norm())) > 0.8, name


def gradients(model, logits):
    model.zero_grad()
    cross_entropy(logits, LABELS).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def at(value, given):
    """Return what is given, in double, with the derivative of `value`."""
    return value + (given.to(value.dtype) - value).detach()


def by_loops(model, x, run):
    """Return the logits of a network in double precision at the values of a run, plainly."""
    p, values = run.parameters, run.values
    r = torch.einsum("hf,blf->hbl", model.encoder.weight, x) + model.encoder.bias[:, None, None]
    r = at(r, values["encoder"])
    for i, block in enumerate(model.blocks):
        name = f"blocks.{i}"
        y = at(recurrence(block, r, name, p), values[f"{name}.ssm"])
        o = respond(block, y, name, run)
        if hasattr(block, "spatial"):
            r = at(r + o, values[f"{name}.middle"])
            theta = p[f"{name}.spatial.theta"].double()
            q = heaviside(r - theta[:, None, None], block.spatial.surrogate)
            weight = at(block.amplitude * block.spatial_mix.weight, p[f"{name}.spatial_mix.weight"])
            o = torch.einsum("oh,hbl->obl", weight, q) + block.spatial_mix.bias[:, None, None]
            o = at(o, values[f"{name}.spatial_mix"])
        r = at(r + o, values[f"{name}.add"])
    weight = at(model.decoder.weight / STEPS, p["decoder.weight"])
    logits = torch.einsum("ch,hbl->bc", weight, r) + model.decoder.bias
    return at(logits, run.logits)


def recurrence(block, r, name, p):
    """Return the output of a state space layer with its norms, step by step."""
    norm, (scale, shift) = block.norm, behind(block)
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    offset = norm.bias - norm.running_mean * gain
    log_pole, b = block.ssm._discretize(torch.float64)
    c, d = block.ssm.readout()
    product = b * c * scale[..., None]
    live = {"pole": log_pole.exp(), "weight": product * gain[:, None],
            "drive": product * offset[:, None], "d": scale * gain * d,
            "bias": scale * d * offset + shift}  # fmt: skip
    a, w, drive, d, bias = (at(live[k], p[f"{name}.ssm.{k}"]) for k in live)
    x, one, y = 0, 0, []
    for u in r.unbind(-1):
        x, one = a[:, None] * x + u[..., None], a * one + 1
        out = 2 * ((w[:, None] * x).sum(-1) + (drive * one).sum(-1)[:, None]).real
        y.append(out + d[:, None] * u + bias[:, None])
    return torch.stack(y, -1)


def respond(block, y, name, run):
    """Return what is added to the stream, given the output of the state space layer."""
    p, values = run.parameters, run.values

    def affine(path, weight, bias, s):
        z = torch.einsum("oh,hbl->obl", at(weight, p[f"{path}.weight"]), s)
        return at(z + bias[:, None, None], values[path])

    def bent(path, z):
        slope = p[f"{path}.slopes"][torch.bucketize(z.detach().float(), p[f"{path}.knots"],
                                                    right=True)]  # fmt: skip
        return at(slope.double() * z, values[path])

    if hasattr(block, "unit"):
        unit, path = block.unit, f"{name}.unit"
        t = ternary(y, at(block.ternary.log_delta.exp(), p[f"{name}.ternary.delta"])[:, None, None])
        n = affine(f"{path}.n", unit.ternary_weight(), unit.bias_n / unit.scale, y)
        m = affine(f"{path}.m", unit.scale[:, None] * unit.weight, unit.scale * unit.bias_m, t)
        return bent(f"{path}.gelu", at(n * m, values[f"{path}.product"]))
    if hasattr(block, "neuron"):
        path = f"{name}.neuron"
        rounded = {part: p[f"{path}.{part}"].double() for part in ("tau", "rho", "kappa")}
        s = membranes(block.neuron, y, rounded, values[path])
    elif hasattr(block.spike, "taps"):
        s = at(raised(block.spike, y, p, f"{name}.spike"), values[f"{name}.spike"])
    else:
        theta = at(block.spike.theta, p[f"{name}.spike.theta"])
        s = heaviside(y - theta[:, None, None], block.spike.surrogate)
    if hasattr(block, "spatial"):
        return affine(f"{name}.mix", block.mix.weight, block.mix.bias, s)
    half, s = len(s), arriving(s, block.delay.steps)
    if not block.gated:
        return affine(f"{name}.mix", block.mix.weight, block.mix.bias, s)
    value = affine(f"{name}.mix.value", block.mix.weight[:half], block.mix.bias[:half], s)
    gate = affine(f"{name}.mix.gate", block.mix.weight[half:], block.mix.bias[half:], s)
    return at(value * bent(f"{name}.mix.sigmoid", gate), values[f"{name}.mix.product"])


def arriving(s, delays):
    """Return the spikes (H, B, L) that are there at each step, one feature and step at a time."""
    if not delays:
        return s
    zero, (features, _, length) = torch.zeros_like(s[0, :, 0]), s.shape
    rows = []
    for h in range(features):
        n = delays[h % len(delays)]
        rows.append([s[h, :, t - n] if t >= n else zero for t in range(length)])
    return torch.stack([torch.stack(row, -1) for row in rows])


def raised(spike, y, p, path):
    """Return the spikes above a threshold that candidates raise, step by step."""
    theta, taps = (at(getattr(spike, k), p[f"{path}.{k}"]) for k in ("theta", "taps"))
    candidates, spikes = [], []
    for y_t in y.unbind(-1):
        limit = theta[:, None]
        for k, before in enumerate(reversed(candidates[-taps.shape[1] :])):
            limit = limit + taps[:, k, None] * before
        candidates.append(heaviside(y_t - theta[:, None], spike.surrogate))
        spikes.append(heaviside(y_t - limit, spike.surrogate))
    return torch.stack(spikes, -1)


def membranes(lif, y, rounded, spikes):
    """Return the given spikes, differentiable as those of the neuron at them, step by step."""
    tau, rho = rounded["tau"][:, None], rounded["rho"][:, None]
    kappa = at(lif.kappa, rounded["kappa"])[:, None]
    u = r = torch.zeros_like(y[..., 0])
    fired, differing = [], 0
    for y_t, given in zip(y.unbind(-1), spikes.unbind(-1), strict=True):
        v = tau * u + y_t
        own = heaviside(v - r - 1, lif.surrogate)
        s = at(own, given)
        differing += int((own != given).sum())
        u = {"hard": v * (1 - s), "soft": v - s}[lif.reset]
        r = rho * r + kappa * s
        fired.append(s)
    # what the integers cut off decides rarely, though their unit is 1/32 of the threshold here
    assert differing <= 0.03 * spikes.numel()
    return torch.stack(fired, -1)


@pytest.mark.parametrize("forms", FORMS, ids=["native", "any device"])
def test_padding_is_left_out_of_the_logits_and_their_gradients(forms):
    model = family_networks.network("spikingssm", in_features=1, vocabulary=5).float().use(**forms)
    tokens = np.random.default_rng(1).integers(0, 5, (4, STEPS, 1))
    lengths = np.array([STEPS, 3, 11, 1])
    ranges = partial(ranges_on_data, data=tokens)
    qat_model = QATModel(Quantize(), ranges, steps=STEPS, scale=1.0, bits=8)
    qat_model.calibrate(model)
    rows = []
    for i, length in enumerate(lengths):
        alone = qat_model.run(model, tokens[i : i + 1, :length])
        rows.append(alone.logits * (STEPS / length))
    run = qat_model.run(model, tokens, lengths, record=True)
    logits = ste_outputs(model, torch.tensor(tokens[..., 0]), run, torch.tensor(lengths))
    assert torch.allclose(logits, torch.cat(rows), rtol=1e-6)

    logits.sum().backward()
    padded = model.encoder.weight.grad.clone()
    model.zero_grad()
    other = tokens.copy()
    for i, length in enumerate(lengths):
        other[i, length:] = (other[i, length:] + 1) % 5
    run = qat_model.run(model, other, lengths, record=True)
    ste_outputs(model, torch.tensor(other[..., 0]), run, torch.tensor(lengths)).sum().backward()
    assert torch.allclose(model.encoder.weight.grad, padded, atol=1e-6 * float(padded.abs().max()))


@pytest.mark.parametrize("forms", FORMS, ids=["native", "any device"])
def test_a_pole_that_rounds_to_zero_has_a_finite_gradient(forms):
    model, x, run = traced("binary-s4d", {})
    model.use(**forms)
    pole = run.parameters["blocks.0.ssm.pole"]
    pole[0, 0] = 0
    loss = cross_entropy(ste_outputs(model, x, run), LABELS)
    loss.backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters())
