"""Sparse synapses 'on a neuro core': Lava's bit-accurate CPU models under the other base class."""

from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc


class NcModelSparse(PySparseModelBitAcc, AbstractNcProcessModel):
    required_resources = [Loihi2NeuroCore]  # noqa: RUF012


class NcModelDelaySparse(PyDelaySparseModelBitAcc, AbstractNcProcessModel):
    required_resources = [Loihi2NeuroCore]  # noqa: RUF012
