"""Speed of the training kernels against what they replace, side by side in one run.

``python benchmarks/training.py [--json] [--plot FILE]``; README.md beside it says how to read it.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from training_baselines import PlainSpikingSSM, indexing_loop_seconds, plain_s4d

from neurossm.errors import NeurossmError
from neurossm_models import LIF, S4D, Network, SpikingSSMConfig
from neurossm_models.recurrence import block_size
from neurossm_models.train.memory import keep_freed_memory
from neurossm_workflows.timing import machine

Run = Callable[[], None]
Forward = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One kernel against one baseline: seconds of a forward and a backward pass.

    Attributes
    ----------
    kernel, baseline
        What was timed.
    L, batch, width
        Time steps, sequences, features.
    seconds, baseline_seconds
        Best of several passes.
    ratio
        ``baseline_seconds / seconds``.
    peak_share
        Of the machine's measured peak (see `Peaks`) that the kernel reached; None: not meaningful.
    note
        What else one has to know.
    """

    kernel: str
    baseline: str
    L: int
    batch: int
    width: int
    seconds: float
    baseline_seconds: float
    ratio: float
    peak_share: float | None
    note: str = ""


@dataclass(frozen=True)
class Peaks:
    """What the machine reaches in this run, on the same threads.

    Attributes
    ----------
    flops
        Floating-point operations a second of a large single-precision matrix product.
    bandwidth
        Bytes read and written a second by a copy that is larger than the caches.
    """

    flops: float
    bandwidth: float


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    peaks = measure_peaks()
    lengths = [length for length in (1024, 2048, 4096, 8192, 16384) if length <= options.longest]
    rows = ssm_rows(options, peaks)
    rows += lif_rows(options, peaks)
    rows += epoch_rows(options)
    costs = {} if options.quick else cost_against_length(lengths, options.repeats)
    if options.plot and costs:
        draw(costs, options.plot)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        show(rows, peaks, costs)
    return 0


def ssm_rows(options: argparse.Namespace, peaks: Peaks) -> list[Row]:
    """Time the diagonal recurrence against convolutions by FFT, kernel generation included."""
    rows = []
    width, state = 128, 32
    shapes = [(1024, 64)] if options.quick else [(784, 64), (1024, 64), (16384, 4)]
    for length, batch in shapes:
        ssm = S4D(width, state)
        u = torch.randn(width, batch, length, requires_grad=True)
        grad = torch.randn_like(u)
        size = block_size(length)
        # forward: inner, write, read; backward: the same twice; 2 operations a multiply-add
        operations = 3 * 2 * (size + 2 * state) * u.numel()
        runs = {
            "native": _pass(_form("native"), ssm, u, grad),
            "FFT, plain PyTorch": _pass(plain_s4d, ssm, u, grad),
            "FFT of this project": _pass(_form("fft"), ssm, u, grad),
        }
        times = best_times(runs, options.repeats)
        share = operations / times["native"] / peaks.flops
        rows += _compare("diagonal SSM", times, (length, batch, width), share, f"N = {state}")
    return rows


def lif_rows(options: argparse.Namespace, peaks: Peaks) -> list[Row]:
    """Time the exact neuron, hard reset and soft, against its parallel substitutes and the loop."""
    rows = []
    batch, width, length = 64, 128, 1024 if options.quick else 8192
    for reset, other in (("hard", "sdn"), ("soft", "boundary")):
        rho, kappa = (0.5, 0.5) if reset == "soft" else (0.0, None)
        neuron = LIF(width, tau=0.125, reset=reset, rho=rho, kappa=kappa)
        y = torch.randn(width, batch, length, requires_grad=True)
        grad = torch.randn_like(y)
        runs = {
            "native": _pass(_form("native"), neuron, y, grad),
            other: _pass(_form(other), neuron, y, grad),
            "PyTorch loop (unbind)": _pass(_form("loop"), neuron, y, grad),
        }
        times = best_times(runs, 2)
        # forward reads y, writes s; backward reads y and grad, writes the gradient of y
        share = 5 * 4 * y.numel() / times["native"] / peaks.bandwidth
        shape, name = (length, batch, width), f"exact LIF, {reset} reset"
        rows += _compare(name, times, shape, share, "")
        if reset == "hard":
            steps = 8
            seconds = indexing_loop_seconds(neuron, y.detach(), steps)
            note = f"measured on {steps} of {length} steps of the whole tensor, then multiplied"
            times = {"native": times["native"], "PyTorch loop (y[..., t])": seconds}
            rows += _compare(name, times, shape, share, note)
    return rows


def epoch_rows(options: argparse.Namespace) -> list[Row]:
    """Time training steps of SpikingSSM on sMNIST shapes, as many as make an epoch."""
    config = SpikingSSMConfig(width=64, state=32, layers=2, dropout=0.1)
    x, labels = torch.rand(64, 784, 1), torch.randint(0, 10, (64,))
    network = Network(config)
    plain = PlainSpikingSSM(config)
    runs = {
        "native": _training_step(network, x, labels),
        "the same model in plain PyTorch": _training_step(plain, x, labels),
    }
    times = {name: 859 * seconds for name, seconds in best_times(runs, options.repeats).items()}
    note = "859 steps of 64 sequences, from the best of several steps"
    return _compare("epoch of spikingssm-smnist", times, (784, 64, 64), None, note)


def cost_against_length(lengths: list[int], repeats: int) -> dict[str, dict[int, float]]:
    """Return nanoseconds per feature, sequence and step against the length, batch times L fixed."""
    width, total = 64, 65536
    costs: dict[str, dict[int, float]] = {}
    for length in lengths:
        batch = max(1, total // length)
        ssm, hard = S4D(width, 32), LIF(width, tau=0.125, reset="hard")
        soft = LIF(width, tau=0.125, reset="soft", rho=0.5, kappa=0.5)
        x = torch.randn(width, batch, length, requires_grad=True)
        grad = torch.randn_like(x)
        runs = {
            "SSM, native": _pass(_form("native"), ssm, x, grad),
            "SSM, FFT in plain PyTorch": _pass(plain_s4d, ssm, x, grad),
            "LIF, native": _pass(_form("native"), hard, x, grad),
            "LIF, SDN": _pass(_form("sdn"), hard, x, grad),
            "LIF, boundary compression": _pass(_form("boundary"), soft, x, grad),
            "LIF, PyTorch loop": _pass(_form("loop"), hard, x, grad),
        }
        for name, seconds in best_times(runs, repeats).items():
            costs.setdefault(name, {})[length] = seconds / x.numel() * 1e9
    return costs


def best_times(runs: dict[str, Run], repeats: int) -> dict[str, float]:
    """Run all in turn several times, so that a disturbance meets all; return the best of each."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):  # the first turn compiles and warms up
        for name, run in runs.items():
            gc.collect()
            started = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - started)
            _note(f"{name}: {time.perf_counter() - started:.3f} s")
    return {name: min(values) for name, values in times.items()}


def measure_peaks() -> Peaks:
    """Measure a matrix product and a copy."""
    a = torch.randn(2048, 2048)
    x, y = torch.randn(2**26), torch.empty(2**26)
    times = best_times({"product": lambda: _drop(a @ a), "copy": lambda: _drop(y.copy_(x))}, 4)
    return Peaks(2 * 2048**3 / times["product"], 2 * 4 * 2**26 / times["copy"])


def draw(costs: dict[str, dict[int, float]], path: Path) -> None:
    """Write the plot of cost against length."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name, values in costs.items():
        style = "-" if "native" in name else "--"
        axes.plot(list(values), list(values.values()), style, marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="time steps L",
             ylabel="ns per feature, sequence and step")  # fmt: skip
    axes.set_xticks(list(next(iter(costs.values()))))
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_yticks([mark * 10**power for power in range(4) for mark in (1, 2, 5)])
    axes.yaxis.set_major_formatter("{x:.0f}")
    highest = max(max(values.values()) for values in costs.values())
    axes.set_ylim(1, 1.5 * highest)
    axes.minorticks_off()
    axes.set_title("forward and backward, batch times L = 65,536, 64 features")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, bbox_to_anchor=(1.01, 1), loc="upper left")
    figure.savefig(path, bbox_inches="tight")


def show(rows: list[Row], peaks: Peaks, costs: dict[str, dict[int, float]]) -> None:
    """Print the same for people."""
    about = machine()
    print(f"{about['cpu']}, {torch.get_num_threads()} threads; load now {about['load_average']}")
    print(f"peaks: {peaks.flops / 1e9:.0f} Gflop/s, {peaks.bandwidth / 1e9:.1f} GB/s\n")
    print(f"{'kernel':28}{'baseline':34}{'L':>6}{'batch':>6}{'width':>6}"
          f"{'s':>9}{'base s':>10}{'ratio':>9}{'peak':>6}")  # fmt: skip
    for row in rows:
        share = "" if row.peak_share is None else f"{row.peak_share:.0%}"
        print(f"{row.kernel:28}{row.baseline:34}{row.L:6}{row.batch:6}{row.width:6}"
              f"{row.seconds:9.3f}{row.baseline_seconds:10.3f}{row.ratio:9.1f}{share:>6}"
              f"  {row.note}")  # fmt: skip
    for name, values in costs.items():
        cells = "  ".join(f"{length}: {value:.2f}" for length, value in values.items())
        print(f"{name:28}{cells}  ns")


def _compare(
    kernel: str,
    times: dict[str, float],
    shape: tuple[int, int, int],
    share: float | None,
    note: str,
) -> list[Row]:
    own = times["native"]
    return [
        Row(kernel, name, *shape, own, seconds, seconds / own, share, note)
        for name, seconds in times.items()
        if name != "native"
    ]


def _pass(forward: Forward, module: Any, x: Tensor, grad: Tensor) -> Run:
    """Return a forward and a backward pass with all gradients."""

    def run() -> None:
        x.grad = None
        module.zero_grad()
        forward(module, x).backward(grad)  # type: ignore[no-untyped-call]

    return run


def _training_step(model: nn.Module, x: Tensor, labels: Tensor) -> Run:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def run() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return run


def _form(form: str) -> Forward:
    """Return the call of a module in one of its forms."""

    def forward(module: Any, x: Tensor) -> Tensor:
        module.form = form
        y: Tensor = module(x)
        return y

    return forward


def _drop(value: Tensor) -> None:
    del value


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training kernels against what they replace.")
    parser.add_argument("--threads", type=int, default=machine()["cores"], help="PyTorch threads")
    parser.add_argument("--repeats", type=int, default=4, help="timed turns; the best counts")
    parser.add_argument("--longest", type=int, default=16384, help="largest L of the plot")
    parser.add_argument("--quick", action="store_true", help="small shapes, no cost against L")
    parser.add_argument("--plot", type=Path, help="write cost against L to this SVG file")
    parser.add_argument("--json", action="store_true", help="one JSON list on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NeurossmError as error:
        sys.exit(f"benchmarks/training.py: {error}")
