"""The Neuromorphic Intermediate Representation (NIR): float graphs out, those of any tool in.

Writing and reading back of our own files: `writing`, `own`, `nodes`, `ssm`. Reading what other
tools wrote: `net` flattens, `recurrence` finds the cycles that are a state space model, `foreign`
and `membranes` translate, `convention` says what a step is. `file` reads HDF5 without the library.
"""

from neurossm_converters.formats.nir.convention import COMPARISONS, RESETS, UNITS, Convention
from neurossm_converters.formats.nir.convention import NAMES as CONVENTIONS
from neurossm_converters.formats.nir.reading import (
    Imported,
    Reading,
    compare_of,
    from_nir,
    read,
    read_back,
    reset_of,
)
from neurossm_converters.formats.nir.writing import expressible, to_nir, write

__all__ = [
    "COMPARISONS",
    "CONVENTIONS",
    "RESETS",
    "UNITS",
    "Convention",
    "Imported",
    "Reading",
    "compare_of",
    "expressible",
    "from_nir",
    "read",
    "read_back",
    "reset_of",
    "to_nir",
    "write",
]
