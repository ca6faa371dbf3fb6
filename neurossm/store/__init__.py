"""The file `.nssm`: graphs with golden vectors, and traces, in HDF5; FORMAT.md specifies it.

``tree`` is what a file says as plain values, and its hash; ``write`` and ``read`` are the only
modules that know HDF5; ``encode`` and ``decode`` go between trees and graphs or traces.
"""

from neurossm.store.files import (
    Description,
    describe,
    graph_digest,
    load,
    load_golden,
    load_trace,
    save,
    save_trace,
)
from neurossm.store.golden import Golden, missing_golden
from neurossm.store.opening import check_is_file
from neurossm.store.ours import check_no_graph, check_replaceable
from neurossm.store.text import check_output, write_text

__all__ = [
    "Description",
    "Golden",
    "check_is_file",
    "check_no_graph",
    "check_output",
    "check_replaceable",
    "describe",
    "graph_digest",
    "load",
    "load_golden",
    "load_trace",
    "missing_golden",
    "save",
    "save_trace",
    "write_text",
]
