"""Errors of functions that are called from Python: arguments by their names, not as options.

Messages call what a user gave as it is typed on the command line, ``--readout``. Who called a
function gave ``readout``, and `by_arguments` says that. Commands to type in a shell stay.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from neurossm.errors import NeurossmError

P = ParamSpec("P")
T = TypeVar("T")

# options whose argument has another name, where a function has none of the option's own
OTHERS: Mapping[str, str] = MappingProxyType({
    "set": "changes", "qat": "quantized", "float": "floating", "from": "format",
    "loihi-gen": "generation",
    "slurm-partition": "partition", "slurm-board": "board", "poles": "pole_bits",
    "weights": "weight_bits", "state": "state_bits", "messages": "activation_bits",
    "activations": "activation_bits",
    "leaks": "leak_bits", "range": "range_rules", "ranges": "range_rule",
})  # fmt: skip
_WORDS = re.compile(
    r"(?P<shell>\bneurossm [a-z][^'`);]*)"  # a command, up to the end of its quotes
    r"|--[a-z][a-z-]* \((?P<behind>\w+=[^) ]*)(?: in Python)?\)"
    r"|(?P<before>\w+=\w+) \(--[a-z][a-z-]*\)"
    r"|--set (?P<change>[\w.]+=[^\s;,)]*[^\s;,):])"
    r"|--(?P<option>[a-z][a-z-]*)"
)


def by_arguments(function: Callable[P, T], options: str = "") -> Callable[P, T]:
    """Return the function whose errors name its arguments.

    Parameters
    ----------
    options
        Dataclass whose fields the function takes as ``**options``, beside it in its module.
    """
    known = {*inspect.signature(function).parameters}
    if options:
        kind = getattr(sys.modules[function.__module__], options)
        known |= {field.name for field in fields(kind)}

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except NeurossmError as error:
            error.respell(lambda text: in_python(text, known))
            raise

    return called


def in_python(text: str, known: set[str]) -> str:
    """Return a text with arguments in place of options, as far as these are known.

    Parameters
    ----------
    text
        Of a message.
    known
        Names of the arguments.
    """

    def said(found: re.Match[str]) -> str:
        parts: dict[str, Any] = found.groupdict()
        if parts["change"]:
            key, _, value = parts["change"].rpartition(".")[2].partition("=")
            if "changes" not in known and key in known:
                return f"{key}={value if value.isdigit() else repr(value)}"
            return f"changes=[{parts['change']!r}]" if "changes" in known else found[0]
        if parts["option"]:
            plain = parts["option"].replace("-", "_")
            other = OTHERS.get(parts["option"], "")
            return plain if plain in known or not other else other
        return str(parts["shell"] or parts["behind"] or parts["before"])

    return _WORDS.sub(said, text)
