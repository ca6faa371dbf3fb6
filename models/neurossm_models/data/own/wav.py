"""Folders of recordings by class: ``CLASS/*.wav``, or ``train/CLASS/*.wav`` and so on.

Values are -1 to 1 whatever the bits of a file; stereo is two channels. A file is read when it is
asked for. Lengths may differ; rates and channels may not.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.own.by_class import REMEDY, files_by_class, folders_of_parts
from neurossm_models.data.own.source import OwnSource, Part
from neurossm_models.data.rows import Index, Rows, positions_of

ENDING = ".wav"
_PCM = "convert it to PCM, for example with 'ffmpeg -i in.wav -c:a pcm_s16le out.wav'"


@dataclass(frozen=True)
class _Form:
    rate: int
    channels: int
    width: int
    steps: int


class Recordings(Rows):
    """Files as samples, padded with 0 to the longest."""

    def __init__(self, files: list[Path], steps: int, channels: int) -> None:
        self._files, self._steps, self._channels = files, steps, channels

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        return len(self._files), self._steps, self._channels

    def __getitem__(self, index: Index) -> NDArray[np.float32]:
        positions = positions_of(index, len(self))
        found = np.zeros((len(positions), self._steps, self._channels), np.float32)
        for row, position in zip(found, positions, strict=True):
            values = _values(self._files[int(position)])
            row[: len(values)] = values
        return found


def read(folder: Path, name: str) -> OwnSource:
    """Return the source of a folder of folders of recordings.

    Raises
    ------
    FormatError
        For an empty class, files of unlike rates or channels, and what is no WAV file.
    """
    forms: dict[Path, _Form] = {}
    found = folders_of_parts(folder, ENDING)
    parts = {part: _part(path, forms) for part, path in found.items()}
    rates = {form.rate: path for path, form in forms.items()}
    if len(rates) > 1:
        got = " and ".join(f"{rate} Hz ({path})" for rate, path in sorted(rates.items())[:2])
        raise FormatError(str(folder), expected="recordings of one rate", got=got,
                          remedy="resample them to one rate")  # fmt: skip
    return OwnSource(name, str(folder), parts, dt=1 / next(iter(rates)), provenance=str(folder),
                     remedy=REMEDY)  # fmt: skip


def _part(folder: Path, every: dict[Path, _Form]) -> Part:
    files, labels = files_by_class(folder, ENDING)
    forms = {file: _form(file) for file in files}
    every.update(forms)
    channels = {form.channels: file for file, form in forms.items()}
    if len(channels) > 1:
        got = " and ".join(f"{count} ({file})" for count, file in sorted(channels.items())[:2])
        raise FormatError(str(folder), expected="one number of channels", got=got)
    lengths = np.array([form.steps for form in forms.values()], np.int64)
    rows = Recordings(files, int(lengths.max()), next(iter(channels)))
    return Part(rows, np.array(labels, dtype=str), lengths)


def _form(path: Path) -> _Form:
    with _opened(path) as clip:
        form = _Form(
            clip.getframerate(), clip.getnchannels(), clip.getsampwidth(), clip.getnframes()
        )
        header = path.stat().st_size - form.steps * form.channels * form.width
    if form.width not in (1, 2, 3, 4):
        raise FormatError(str(path), expected="samples of 1 to 4 bytes", got=str(form.width))
    if not form.steps:
        raise FormatError(str(path), expected="a recording", got="no samples")
    if header < 0:
        raise FormatError(str(path), expected=f"{form.steps} samples as it says", got="fewer bytes")
    return form


def _values(path: Path) -> NDArray[np.float32]:
    with _opened(path) as clip:
        width, channels, steps = clip.getsampwidth(), clip.getnchannels(), clip.getnframes()
        content = clip.readframes(steps)
    if len(content) != steps * channels * width:
        got = f"{len(content)} bytes"
        raise FormatError(str(path), expected=f"{steps} samples as it says", got=got)
    return _between_one(content, width).reshape(steps, channels)


def _between_one(content: bytes, width: int) -> NDArray[np.float32]:
    """Return samples of so many bytes as -1 to 1; those of one byte have no sign."""
    raw: NDArray[Any]
    if width == 1:
        raw = np.frombuffer(content, np.uint8).astype(np.float32) - 128
    elif width == 3:
        bytes_of = np.frombuffer(content, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(bytes_of), 4), np.uint8)
        wide[:, 1:] = bytes_of
        raw = wide.view("<i4")[:, 0] / 256
    else:
        raw = np.frombuffer(content, f"<i{width}")
    return (raw / 2.0 ** (8 * width - 1)).astype(np.float32)


def _opened(path: Path) -> wave.Wave_read:
    try:
        return wave.open(str(path), "rb")
    except (wave.Error, EOFError, RuntimeError, OSError) as error:
        got = str(error) or "a truncated file"
        raise FormatError(str(path), expected="a WAV file", got=got, remedy=_PCM) from None
