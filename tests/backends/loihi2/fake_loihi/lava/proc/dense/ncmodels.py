"""Dense synapses 'on a neuro core': Lava's bit-accurate CPU models under the other base class."""

from lava.magma.core.model.nc.model import AbstractNcProcessModel
from lava.magma.core.resources import Loihi2NeuroCore
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc


class NcModelDense(PyDenseModelBitAcc, AbstractNcProcessModel):
    required_resources = [Loihi2NeuroCore]  # noqa: RUF012 (as Lava's decorator sets it)


class NcModelDelayDense(PyDelayDenseModelBitAcc, AbstractNcProcessModel):
    required_resources = [Loihi2NeuroCore]  # noqa: RUF012
