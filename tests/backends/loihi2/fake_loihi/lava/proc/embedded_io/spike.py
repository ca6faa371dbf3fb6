"""The adapters between host and chip, with the ports and the 24-bit messages of lava-loihi's."""

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class _Adapter(AbstractProcess):
    def __init__(self, *, shape, num_message_bits=0):
        super().__init__(shape=shape, num_message_bits=num_message_bits)
        self.inp = InPort(shape=shape)
        self.out = OutPort(shape=shape)


class PyToNxAdapter(_Adapter):
    """From the host to the chip."""


class NxToPyAdapter(_Adapter):
    """From the chip to the host."""


class _Model(PyLoihiProcessModel):
    inp = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self):
        words = self.inp.recv().astype(np.int32)
        if not self.proc_params["num_message_bits"]:
            words = (words != 0).astype(np.int32)
        self.out.send(self.carried(words))


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
class PyToNxModel(_Model):
    def carried(self, words):
        return words


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
class NxToPyModel(_Model):
    def carried(self, words):
        return words & 0xFFFFFF  # the sign has to be restored on the host
