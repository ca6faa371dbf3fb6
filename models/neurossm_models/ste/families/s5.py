"""The STE network of a block of S5; names are those of the exporter."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.complex_states import run_states
from neurossm_models.families.s5 import S5Block
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.folding import gain_of
from neurossm_models.ste.operations import add, affine, multiply, straight
from neurossm_models.ste.parts import affine_node, segments_node


def ste_outputs(name: str, block: S5Block, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name."""
    p, values = run.parameters, run.values
    if block.first:
        r = segments_node(f"{name}.encoded", r, run)
    gain, offset = (x.to(r.device) for x in gain_of(block.norm))
    ones = torch.ones_like(block.d)
    sent = _states(name, block, r, ones * gain, ones * offset, run)
    none = torch.zeros_like(block.d)
    out = affine_node(f"{name}.out", block.out.weight, none, sent, run)
    d = straight(torch.diag(block.d * gain), p[f"{name}.past.weight"])
    past = affine(r, d, block.d * offset, values[f"{name}.past"])
    path = f"{name}.mix"
    arriving = add(out, past, values[f"{name}.both"])
    v = segments_node(f"{path}.value", arriving, run)
    gate = affine_node(f"{path}.gate", block.gate.weight, block.gate.bias, v, run)
    o = multiply(v, segments_node(f"{path}.sigmoid", gate, run), values[f"{path}.product"])
    return segments_node(f"{name}.add", add(r, o, values[f"{name}.sum"]), run)


def _states(
    name: str, block: S5Block, r: Tensor, gain: Tensor, offset: Tensor, run: IntegerRun
) -> Tensor:
    """Return what the complex states send, (2 P, B, L)."""
    p, values = run.parameters, run.values
    log_pole, factor = block.states.dynamics()
    weight = factor.repeat(2)[:, None] * block.into.weight
    bias = weight @ offset
    weight = straight(weight * gain, p[f"{name}.into.weight"])
    u = affine(r, weight, bias, values[f"{name}.into"])
    pole = log_pole.exp()
    rounded = torch.complex(
        straight(pole.real, p[f"{name}.states.a_re"]), straight(pole.imag, p[f"{name}.states.a_im"])
    )
    x = run_states(u, rounded, block.states.form_for(u))
    sent = values[f"{name}.states"]
    re, im = sent.chunk(2)
    passes = ((re > 0) | (im != 0)).to(sent.dtype).repeat(2, 1, 1)
    return straight(x * passes, sent)
