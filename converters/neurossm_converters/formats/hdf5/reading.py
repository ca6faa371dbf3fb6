"""Asks a child process for the contents of an HDF5 file, and ends it when it takes too long.

A damaged file can send the HDF5 library round for ever, or unpack to more than there is memory, and
neither can be interrupted from inside. So the library works in a process of its own, which is kept
for the next file and replaced when it fails.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm.store import check_is_file
from neurossm.store.elsewhere import remedy_for

CHILD = Path(__file__).with_name("child.py")
SECONDS = 20.0  # for a file, and
BYTES_A_SECOND = 5e6  # one more for so many bytes
MAX_HEADER_BYTES = 2**28


@dataclass(frozen=True)
class Texts:
    """Texts of a dataset, flat, and its shape; a scalar has ``()``."""

    values: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Other:
    """What is there and is not read: a link, data of another type, data in another file."""

    what: str


Group = Mapping[str, "Member"]
Answer = tuple[dict[str, Any], list[NDArray[np.generic]]]
Member = Group | NDArray[np.generic] | Texts | Other


def read_tree(path: Path, kind: str, skip: tuple[str, ...] = ()) -> dict[str, Member]:
    """Return the contents of an HDF5 file: groups as mappings, numbers as arrays.

    Parameters
    ----------
    path
        The file. Only this file is read: links and data elsewhere come as `Other`.
    kind
        What it should be, for messages: ``a NIR file``.
    skip
        Names at its root that are not read; they come as `Other`.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is damaged or no HDF5, leaves the limits of ``child.py``, or takes too much time or
        memory to read.
    """
    check_is_file(path)
    with _LOCK:
        header, arrays = _READER.ask(path, kind, skip)
    if "limit" in header:
        where, expected, got = header["limit"]
        raise FormatError(f"{path}: {where}", expected=expected, got=got)
    if "error" in header:
        got = "a damaged one" if header["hdf5"] else "another kind of file, or a part of one"
        remedy = "" if header["hdf5"] else remedy_for(path)
        raise FormatError(str(path), expected=kind, got=f"{got} ({header['error']})", remedy=remedy)
    return _group(header["group"], iter(arrays))


def start() -> None:
    """Start the process that reads, if none is running: the first file waits less."""
    with _LOCK:
        _READER.running()


class _Reader:
    """The child process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, path: Path, kind: str, skip: tuple[str, ...]) -> Answer:
        """Return the child's answer; `FormatError` where it gives none."""
        seconds = SECONDS + path.stat().st_size / BYTES_A_SECOND
        process, late = self.running(), threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            return self._answer(process, [str(path.absolute()), skip])
        except (EOFError, OSError):
            self.close()
            got = "a damaged one, or one that unpacks to more memory than it says"
            if late.is_set():
                got = f"one that takes more than {seconds:.0f} s to read"
            raise FormatError(str(path), expected=kind, got=got) from None
        except BaseException:  # Ctrl-C: half an answer is still in the pipe
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # it died before it read all of a question
                        pipe.close()
            self._process = None

    def running(self) -> subprocess.Popen[bytes]:
        """Return the child, a new one where there is none."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # its threads would take address space, and it multiplies nothing
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for the parent, which ends the child
            )
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], question: list[object]) -> Answer:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
        size = int.from_bytes(self._bytes(process, 8), "little")
        if size > MAX_HEADER_BYTES:
            raise EOFError
        header = json.loads(bytes(self._bytes(process, size)))
        arrays = []
        for kind, shape in _arrays(header):
            dtype = np.dtype(kind)
            data = self._bytes(process, math.prod(shape) * dtype.itemsize)
            arrays.append(np.frombuffer(data, dtype).reshape(shape))
        return header, arrays

    @staticmethod
    def _bytes(process: subprocess.Popen[bytes], size: int) -> bytearray:
        assert isinstance(process.stdout, BufferedReader)  # as `Popen` makes it
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            count = process.stdout.readinto(view[done:])
            if not count:
                raise EOFError
            done += count
        return data


_LOCK, _READER = threading.Lock(), _Reader()
atexit.register(_READER.close)


def _arrays(header: Mapping[str, Any]) -> list[tuple[str, list[int]]]:
    """Return type and shape of the arrays of an answer, in the order of their bytes."""
    found: list[tuple[str, list[int]]] = []
    for member in header.get("group", {}).values():
        if "array" in member:
            found.append(tuple(member["array"]))
        elif "group" in member:
            found.extend(_arrays(member))
    return found


def _group(said: Mapping[str, Any], arrays: Any) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for name, member in said.items():
        if "array" in member:
            found[name] = next(arrays)
        elif "group" in member:
            found[name] = _group(member["group"], arrays)
        elif "texts" in member:
            found[name] = Texts(tuple(member["texts"]), tuple(member["shape"]))
        else:
            found[name] = Other(member["other"])
    return found
