"""A GPU as an executor: ``--engine gpu``, ``--engine gpu:samples=512,device=cuda:1``."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm.executors import Executor, Inputs, Progress, Run, Source
from neurossm.extras import lacking
from neurossm.graph import Graph
from neurossm.lengths import Lengths

# what the drivers of NVIDIA, of Windows for its Linux, and of AMD put there
DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")
DEVICE = re.compile(r"cuda(:\d{1,3})?|interpreter")
SAMPLES = 8  # that are always a part: more as the memory allows


@dataclass(frozen=True)
class Options:
    """Options of ``gpu``.

    Parameters
    ----------
    samples
        Most that run together; 0: as many as the free memory of the device holds.
    device
        ``cuda``, ``cuda:1``: a GPU, as PyTorch counts them. ``interpreter``: Triton's interpreter
        on the CPU, which runs the same kernels, very slowly.
    """

    samples: int = 0
    device: str = "cuda"

    def __post_init__(self) -> None:
        whole("samples", self.samples, 0)
        if not DEVICE.fullmatch(self.device):
            raise InputError(
                "device", expected="cuda, cuda:N or interpreter", got=repr(self.device)
            )


def _run(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: Options,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    from neurossm_converters.backends.gpu.execute import run

    return run(graph, inputs, record, options, progress, lengths)


def _stream(
    graph: Graph, source: Source, options: Options, progress: Progress
) -> Generator[tuple[slice, Run], None, None]:
    from neurossm_converters.backends.gpu.execute import stream

    yield from stream(graph, source, options, progress)


def _missing() -> str:
    return lacking("torch") or lacking("gpu")


def _lacks(options: Options) -> str:
    """Return why there is no GPU, as far as the system's files say; PyTorch is asked later."""
    if options.device == "interpreter" or any(Path(file).exists() for file in DRIVERS):
        return ""
    return (
        "no GPU is here; --engine fast is quick on CPUs, gpu:device=interpreter runs the kernels of"
        " the GPU, very slowly"
    )


GPU = Executor(
    "gpu", "PyTorch and Triton on an NVIDIA GPU, a whole sequence a node", _run, Options,
    missing=_missing, compiles=True, together=lambda options: options.samples or SAMPLES,
    stream=_stream, lacks=_lacks,
)  # fmt: skip
