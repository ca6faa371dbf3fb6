"""Runs commands and Python as if an extra were not installed: ``without.py EXTRA``.

Reads JSON: ``commands`` and lines of ``python``. Prints, as JSON, how each of them ended.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import sys
from importlib.machinery import PathFinder

from neurossm.extras import EXTRAS

extra = next(one for one in EXTRAS if one.name == sys.argv[1])


class Without:
    """Python's own finder of modules and distributions, blind for those of one extra."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in extra.modules:
            return None
        return PathFinder.find_spec(name, path, target)

    @staticmethod
    def find_distributions(context=None):
        context = context or importlib.metadata.DistributionFinder.Context()
        for found in PathFinder.find_distributions(context):
            if found.metadata["Name"] not in extra.packages:
                yield found


assert not set(extra.modules) & set(sys.modules)
sys.meta_path[sys.meta_path.index(PathFinder)] = Without


def command(arguments):
    from neurossm_cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as ended:
            return ended.code, out.getvalue(), err.getvalue()


def python(source):
    try:
        exec(source, {})
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


asked = json.load(sys.stdin)
json.dump(
    [[command(one) for one in asked["commands"]], [python(one) for one in asked["python"]]],
    sys.stdout,
)
