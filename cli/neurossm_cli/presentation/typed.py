"""Errors that name arguments of functions, by the options that these came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from neurossm.errors import NeurossmError

# one name in all commands; the first ones are of `neurossm.Quantize`
TYPED = {
    "pole_bits": "--poles", "weight_bits": "--weights", "state_bits": "--state",
    "leak_bits": "--leaks", "activation_bits": "--activations", "headroom": "--headroom",
    "range_rule": "--ranges", "range_rules": "--range", "percentile": "--percentile",
    "chips": "--chips", "ssm_mapping": "--ssm-mapping", "steps_per_second": "--steps-per-second",
}  # fmt: skip


@contextmanager
def as_typed() -> Iterator[None]:
    """Within this, an error that is about such an argument is about what was typed."""
    try:
        yield
    except NeurossmError as error:
        said = error.where
        found = re.match(r"(?:quantize )?(\w+)(?= |$)", said)
        if found is not None and found[1] in TYPED:
            typed = TYPED[found[1]] + said[found.end() :]
            error.respell(lambda text: typed if text == said else text)
        raise
