"""What a network of one's own holds and no graph can is named: all of it, where it stands."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from own_networks import (
    CELLS,
    Cell,
    Diagonal,
    Looping,
    Stepping,
    convert_cell,
    convert_diagonal,
    example,
)
from own_networks import module as own
from random_modules import FEATURES, STEPS
from torch import nn
from torch.nn import functional as F

from neurossm.errors import GraphError, InputError
from neurossm.nodes import LIF
from neurossm_converters.formats.torch import array, from_torch

HERE = r"test_own_refusals\.py:\d+"


def refused(message, function, x=None, converters=None, **parts):
    with pytest.raises(GraphError, match=message) as found:
        from_torch(own(function, **parts), example() if x is None else x, converters=converters)
    assert "\n" not in str(found.value)
    return str(found.value)


def linear(out=FEATURES):
    return nn.Linear(FEATURES, out)


# -- everything at once --------------------------------------------------------


def test_all_that_is_not_supported_is_named_at_once_by_its_path():
    text = refused(
        "model: 5 things",
        lambda m, x: F.softplus(m.n(m.r(x)[0])) + torch.sin(x) + m.c(x.mT).mT,
        r=nn.LSTM(FEATURES, FEATURES, batch_first=True), n=nn.LayerNorm(FEATURES),
        c=nn.Conv1d(FEATURES, FEATURES, 3, padding=1),
    )  # fmt: skip
    for part in (
        r"module 'r' \(LSTM\)", r"module 'c' \(Conv1d\): expected a kernel of size 1",
        rf"sin in model at {HERE}",
        # behind one that is refused already
        r"module 'n' \(LayerNorm\)", rf"softplus in model at {HERE}",
    ):  # fmt: skip
        assert re.search(part, text)


def test_a_refusal_of_a_loop_is_named_once():
    def forward(m, x):
        return torch.stack([torch.sin(x[:, t]) for t in range(x.shape[1])], 1)

    assert refused("sin in model", forward).count("sin in") == 1


# -- one by one ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "function"),
    [
        (rf"model at {HERE}: .*control flow that depends on values",
         lambda m, x: m.l(x) if x.sum() > 0 else x),
        (rf"model at {HERE}: .*depends on values \(item", lambda m, x: m.l(x) * x.max().item()),
        (rf"model at {HERE}: .*depends on values \(numpy", lambda m, x: x + torch.tensor(
            x.numpy())),
        (r"written into another tensor \(setitem\); collect", lambda m, x: _written(m, x)),
        (r"add in model.*a constant that differs by step; put what depends",
         lambda m, x: m.l(x) + torch.arange(float(STEPS))[:, None]),
        (r"getitem in model.*steps 1 to", lambda m, x: m.l(x)[:, 1:]),
        (r"sub in model.*known at one step only", lambda m, x: x - x.mean(1, keepdim=True)),
        (r"softmax in model.*expected the logits.*largest logit",
         lambda m, x: m.l(x).mean(1).softmax(-1)),
        (r"argmax in model.*expected the logits", lambda m, x: m.l(x).mean(1).argmax(-1)),
        (r"div in model.*a division by a constant", lambda m, x: m.l(x) / (1 + x.abs())),
        (r"matmul in model.*two tensors that depend", lambda m, x: m.l(x) @ x.mT),
        (r"sum in model.*one over batch", lambda m, x: m.l(x).sum()),
        (r"max in model.*a maximum over time", lambda m, x: m.l(x).max(2).values),
        (r"add in model.*the largest values, got the steps",
         lambda m, x: m.l(x).max(1).indices + 0.0),
        (r"layer_norm in model.*BatchNorm1d", lambda m, x: F.layer_norm(x, (FEATURES,))),
        (r"dropout in model.*dropout that is off", lambda m, x: F.dropout(x, 0.5, True)),
        (r"reshape in model.*cuts them up", lambda m, x: x.reshape(3, -1, 7)),
        (r"gelu in model.*approximation by tanh", lambda m, x: F.gelu(x, approximate="tanh")),
        (r"result 'output.1'.*got a constant", lambda m, x: (m.l(x), torch.ones(2))),
        (r"to in model.*conversion to int32", lambda m, x: m.l(x).to(torch.int32)),
        (r"add in model.*the same axis at the same place",
         lambda m, x: m.l(x)[:, :, None] + x[:, None, :, :1]),
        (r"cat in model.*features to concatenate, got batch", lambda m, x: torch.cat([x, x])),
        (rf"model at {HERE}.*RuntimeError: mat1 and mat2", lambda m, x: m.l(x.mT)),
    ],
)  # fmt: skip
def test_it_is_named_with_its_place(message, function):
    refused(message, function, l=linear())


def _written(module, x):
    out = torch.zeros(x.shape)
    out[:, 0] = module.l(x)[:, 0]
    return out


def test_random_numbers_and_views_that_are_written_to_are_found_by_running_it_again():
    again = "does the same operations whatever the values"
    refused(again, lambda m, x: m.l(x) * torch.rand(FEATURES), l=linear())

    def aliased(m, x):
        h = m.l(x)
        view = h.view(h.shape)
        h.add_(1)
        return view

    refused(again, aliased, l=linear())


def test_layers_that_take_the_wrong_axis_are_refused():
    refused(r"module 'n' \(BatchNorm1d\).*features along axis 1, got time; transpose",
            lambda m, x: m.n(x), n=nn.BatchNorm1d(STEPS))  # fmt: skip
    refused(rf"module 'l' \(Linear\).*{STEPS} features along axis 2, got time",
            lambda m, x: m.l(x.mT), l=nn.Linear(STEPS, 2))  # fmt: skip


def test_a_module_that_the_model_does_not_hold_is_named():
    hidden = [linear()]
    refused(rf"a Linear at {HERE}.*the model does not hold this module.*ModuleList",
            lambda m, x: hidden[0](x))  # fmt: skip


def test_norms_and_layers_name_what_to_take_instead():
    refused(r"'n' \(LayerNorm\).*got LayerNorm; use BatchNorm1d", lambda m, x: m.n(x),
            n=nn.LayerNorm(FEATURES))  # fmt: skip
    refused(r"'e' \(Embedding\).*tokens straight from an input.*torch\.long",
            lambda m, x: m.e((x[..., 0] > 0).long()), e=nn.Embedding(5, 2))  # fmt: skip


def test_hooks_and_training_mode_are_refused_where_a_module_is_taken_for_its_class():
    model = own(lambda m, x: m.l(x), l=linear())
    handle = model.l.register_forward_hook(lambda *_: None)
    with pytest.raises(GraphError, match=r"module 'l' \(Linear\): expected no forward hooks"):
        from_torch(model, example())
    handle.remove()
    from_torch(model, example())
    with pytest.raises(GraphError, match=r"evaluation mode, got training mode; call model\.eval"):
        from_torch(model.train(), example())


# -- what memory there is ------------------------------------------------------


def test_a_recurrence_written_out_names_the_remedy_and_the_remedy_works():
    torch.manual_seed(3)
    model, short = Looping().eval(), example()[:, :2]  # two steps show no loop
    with pytest.raises(GraphError, match=r"'one' \(Cell\) at own_networks\.py:\d+.*steps 0 and 1 "
                       r"together; put what remembers into a module"):  # fmt: skip
        from_torch(model, short)
    from_torch(model, short, converters=CELLS)
    assert from_torch(model, example()).loops


class Swapped(Stepping):
    def forward(self, x, a=None, b=None):
        y, a, b = super().forward(x, a, b)
        return y, b, a


class Late(Stepping):
    def forward(self, x, a=None, b=None):
        return super().forward(x, torch.ones(len(x), 6) if a is None else a, b)


def test_states_that_go_elsewhere_are_found():
    torch.manual_seed(3)
    with pytest.raises(GraphError, match=r"'one' \(Cell\): expected its own state of the step"):
        from_torch(Swapped().eval(), example(), converters=CELLS, step=True)
    with pytest.raises(GraphError, match=r"'one' \(Cell\): expected what its forward computes"):
        from_torch(Late().eval(), example(), converters=CELLS, step=True)


def test_a_state_that_is_used_as_a_value_is_refused():
    class Read(Stepping):
        def forward(self, x, a=None, b=None):
            y, a, b = super().forward(x, a, b)
            return y + self.out(b), a, b

    with pytest.raises(GraphError, match=r"module 'out'.*depends on the input"):
        from_torch(Read().eval(), example(), converters=CELLS, step=True)


# -- converters that are wrong -------------------------------------------------


def test_a_wrong_converter_is_named_with_both_values_and_the_place():
    def wrong(builder, path, module, source):
        none = np.zeros(len(module.leak))
        return builder.add(path, LIF(theta=1.1 * array(module.theta), tau=array(module.leak),
                                     rho=none, kappa=none, reset="hard"), source)  # fmt: skip

    torch.manual_seed(3)
    with pytest.raises(
        GraphError,
        match=r"module 'one' \(Cell\): expected what its forward computes, [01] at sample \d, "
        r"step \d+, channel \d, got [01] \(\d+ of \d+ values differ\); correct the converter of",
    ):
        from_torch(Looping().eval(), example(), converters={Cell: wrong})


def test_a_converter_that_is_off_by_little_is_found():
    def wrong(builder, path, module, source):
        name = convert_diagonal(builder, path, module, source)
        node = builder.nodes[name]
        builder.nodes[name] = type(node)(**{**vars(node), "d": np.asarray(node.d) * 1.0001})
        return name

    with pytest.raises(GraphError, match=r"'s' \(Diagonal\): expected what its forward computes"):
        from_torch(own(lambda m, x: m.s(x.mT).mT, s=Diagonal(FEATURES, 2)), example(),
                   converters={Diagonal: wrong})  # fmt: skip


def test_a_converter_that_fails_is_named():
    torch.manual_seed(3)
    with pytest.raises(GraphError, match=r"'one' \(Cell\): expected a converter that succeeds, got "
                       "AttributeError: .*'missing'"):  # fmt: skip
        from_torch(Looping().eval(), example(), converters={Cell: lambda b, p, m, s: m.missing})


def test_a_converter_must_name_a_node_and_may_not_take_a_name_twice():
    torch.manual_seed(3)
    with pytest.raises(GraphError, match=r"'one' \(Cell\): expected the name of a node.*'nowhere'"):
        from_torch(Looping().eval(), example(), converters={Cell: lambda *_: "nowhere"})
    with pytest.raises(GraphError, match=r"node 'encoder': the name is taken"):
        from_torch(Looping().eval(), example(), converters={
            Cell: lambda b, path, m, source: convert_cell(b, "encoder", m, source)})  # fmt: skip


# -- arguments -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "bt"}, "layout: expected a letter for each of 3 axes.*got 'bt'; say layout="),
        ({"layout": "bff"}, "layout: .*got 'bff'"),
        ({"steps": 5}, f"steps: expected {STEPS}, as in the example, got 5"),
        ({"scale": -1.0}, "scale: expected a finite number above 0, or one a channel, got -1"),
        ({"scale": [1.0, 2.0]}, "scale: .*one a channel"),
        ({"readout": "median"}, r"readout: expected mean \| last \| .*, got 'median'"),
    ],
)
def test_arguments_that_do_not_go_together_are_named(options, message):
    with pytest.raises(InputError, match=f"from_torch (example )?{message}"):
        from_torch(own(lambda m, x: m.l(x), l=linear()), example(), **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "expected an example of the input, got none"),
        ("text", "example: expected a tensor or an array, got str"),
        (torch.full((2, 4, FEATURES), float("nan")), "example: expected finite real numbers"),
        (torch.ones(2, 1, FEATURES), "example: expected at least 2 steps, got 1"),
        ((torch.ones(2, 4, FEATURES),) * 2, "example: expected at most 1 inputs"),
    ],
)
def test_an_example_that_is_none_is_named(given, message):
    class One(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(InputError, match=message):
        from_torch(One().eval(), given)


def test_what_is_no_module_is_refused():
    with pytest.raises(GraphError, match=r"model: expected an nn\.Module, got function"):
        from_torch(lambda x: x, example())
