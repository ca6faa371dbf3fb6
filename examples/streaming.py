"""A classifier on a live sensor: real numbers come in, the class is printed when it changes.

    python streaming.py                      # a simulated sensor, 200 values a second
    python streaming.py model.nssm --source /dev/ttyUSB0
    python streaming.py model.nssm --source udp:9000
    some-program | python streaming.py model.nssm --source -

A source other than the simulated one sends lines (or datagrams) of text: one number per channel.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import neurossm
from neurossm.errors import InputError, NeurossmError
from neurossm.interface import Interface

CHECKPOINT = "binary-s4d-digits"  # 8 x 8 pixels, one per step


def main() -> int:
    """Classify a source until it ends."""
    options = _options()
    graph = neurossm.load(options.model) if options.model else digits()
    stream, names = neurossm.Stepper(graph), Interface.of(graph).class_names
    steps = options.steps or int(graph.meta.get("steps", 0))  # 0: one endless sequence
    began, shown, taken, sequences = time.perf_counter(), "", [], 0
    for number, values in enumerate(source(options)):
        started = time.perf_counter()
        stream.step(values)
        best = int(stream.answer().argmax())
        taken.append(time.perf_counter() - started)
        if (now := names[best] if names else str(best)) != shown:
            print(f"{started - began:8.3f} s  step {number}  class {now}", flush=True)
            shown = now
        if stream.steps == steps:
            sequences += 1
            print(f"end of sequence {sequences}: class {now}, {stream.clipped} values clipped")
            stream.reset()
            shown = ""
            if sequences == options.sequences:
                break
    if taken:
        middle, worst = 1e6 * np.median(taken), 1e6 * max(taken)
        print(f"{len(taken)} steps, {middle:.1f} us each (median), {worst:.1f} us at most")
    return 0


def digits() -> neurossm.Graph:
    """Return a small trained network that comes with neurossm, as integers."""
    return neurossm.quantize(neurossm.export(CHECKPOINT), "digits:train:128").graph


def source(options: argparse.Namespace) -> Iterator[np.ndarray]:
    """Yield the real numbers of each step, ``(C,)``, as they come."""
    if options.source == "simulated":
        return simulated(options.rate)
    if options.source == "-":
        return texts(sys.stdin, "stdin")
    if options.source.startswith("udp:"):
        return texts(datagrams(options.source.removeprefix("udp:")), options.source)
    return texts(lines(options.source), options.source)


def simulated(rate: float) -> Iterator[np.ndarray]:
    """Yield handwritten digits, so many pixels a second (0: at once)."""
    from neurossm_models.data import load

    data = load("digits:test")
    due = time.perf_counter()
    while True:
        for image in data.inputs:
            for pixel in image:
                if rate:
                    due += 1 / rate
                    time.sleep(max(0.0, due - time.perf_counter()))
                yield pixel * data.scale


def texts(lines: Iterator[str], where: str) -> Iterator[np.ndarray]:
    """Yield the numbers of each line; empty ones are left out."""
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").split()
        try:
            values = np.array([float(word) for word in words])
        except ValueError:
            raise InputError(f"{where} line {number}", expected="numbers", got=repr(line)) from None
        if words:
            yield values


def lines(path: str) -> Iterator[str]:
    """Yield the lines of a file or device as they come."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError as error:
        raise InputError(f"--source {path}", got=error.strerror or str(error)) from None


def datagrams(port: str) -> Iterator[str]:
    """Yield what is sent to a port of this machine; a datagram of no bytes ends it."""
    if not port.isdigit() or int(port) > 65535:
        raise InputError(f"--source udp:{port}", expected="a port, 0 to 65535 (0: any)", got=port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", int(port)))
        print(f"listening on 127.0.0.1:{receiver.getsockname()[1]}", flush=True)
        while data := receiver.recv(65536):
            yield data.decode(errors="replace")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print the class of a live source as it changes.")
    parser.add_argument("model", nargs="?", help="an integer graph, .nssm; a small one by default")
    parser.add_argument("--source", default="simulated", help="simulated, -, udp:PORT or a file")
    parser.add_argument("--rate", type=float, default=200.0, help="of the simulated sensor, Hz")
    parser.add_argument("--steps", type=int, default=0, help="of a sequence; 0: the graph's")
    parser.add_argument("--sequences", type=int, default=0, help="end after so many; 0: never")
    options = parser.parse_args()
    if not (options.rate >= 0 and options.steps >= 0 and options.sequences >= 0):
        parser.error("--rate, --steps and --sequences are at least 0")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NeurossmError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
