"""Speech Commands v0.02 as raw audio: 35 words, 16,000 steps (1 s at 16 kHz) of one 16-bit value.

The official lists split it (84,843, 9,981 and 11,005 clips); short clips are padded with zeros at
their end, as in state-spaces/s4.

Deviation: value = sample / 32768. S4 standardizes each time step by the mean and the spread of that
step over the training part, a consequence of how its array lies; on a chip that would need 32,000
constants, one pair a step. A batch norm before the first state space layer takes the scale out.
"""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.copies import bounded_content, lines, sized
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.source import THREE_SPLITS, Copied
from neurossm_models.data.task import Task

STEPS = RATE = 16_000
SCALE = 1 / 32768
PUBLISHED = {"train": 84_843, "valid": 9_981, "test": 11_005}
WORDS = (
    "backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four",
    "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right",
    "seven", "sheila", "six", "stop", "three", "tree", "two", "up", "visual", "wow", "yes", "zero",
)  # fmt: skip
FOLDERS = (
    "SpeechCommands/speech_commands_v0.02",
    "speech_commands_v0.02",
    "SpeechCommands",
)
_LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
_LARGEST_CLIP = 100_000
_REMEDY = "unpack speech_commands_v0.02.tar.gz there"


def read(folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return ``"train"``, ``"valid"`` or ``"test"``; `limit`: so many clips, spread over the words.

    Raises
    ------
    FormatError
        If a file is damaged.
    """
    names = _names(folder, split)
    count = len(names)
    if limit is not None and limit < count:
        names = [names[k * count // limit] for k in range(limit)]
    inputs = np.zeros((len(names), STEPS, 1), np.int16)
    for row, name in zip(inputs, names, strict=True):
        samples = _samples(folder / name)
        row[: len(samples), 0] = samples
    labels = np.array([WORDS.index(name.split("/")[0]) for name in names], np.int64)
    provenance = sized("Speech Commands v0.02 (Warden)", count, PUBLISHED[split])
    return Dataset("speech-commands", split, inputs, SCALE, labels, provenance, dt=1 / RATE)


def _names(folder: Path, split: str) -> list[str]:
    """Return the clips of a split as ``word/file.wav``, in alphabetical order."""
    there = set()
    for path in folder.iterdir():
        if not path.is_dir() or path.name.startswith(("_", ".")):
            continue
        if path.name not in WORDS:
            raise FormatError(str(path), expected="a word of version 0.02", got=repr(path.name))
        there |= {f"{path.name}/{clip.name}" for clip in path.glob("*.wav")}
    listed: dict[str, set[str]] = {}
    for part, file in _LISTS.items():
        listed[part] = {line for _, line in lines(folder / file, 1000) if line}
        if missing := listed[part] - there:
            where, got = str(folder / file), f"no {min(missing)[:60]!r}"
            raise FormatError(where, expected="names of clips that are there", got=got)
    listed["train"] = there - listed["valid"] - listed["test"]
    if not listed[split]:
        raise FormatError(str(folder), expected=f"clips of the {split} part", got="none")
    return sorted(listed[split])


def _samples(path: Path) -> NDArray[np.int16]:
    content = bounded_content(path, _LARGEST_CLIP)
    try:
        with wave.open(io.BytesIO(content)) as clip:
            kind = (clip.getnchannels(), clip.getsampwidth(), clip.getframerate())
            declared, data = clip.getnframes(), clip.readframes(STEPS + 1)
    except (wave.Error, EOFError, RuntimeError) as error:
        got = str(error) or "a truncated file"
        raise FormatError(str(path), expected="a WAV file", got=got) from None
    if kind != (1, 2, RATE):
        got = "{} channels of {} bytes at {} Hz".format(*kind)
        raise FormatError(str(path), expected="1 channel of 2 bytes at 16000 Hz", got=got)
    if len(data) != 2 * declared or not 0 < declared <= STEPS:
        got = f"{declared} declared, {len(data)} bytes there"
        raise FormatError(str(path), expected=f"1 to {STEPS} samples", got=got)
    return np.frombuffer(data, "<i2")


SOURCE = Copied(
    name="speech-commands",
    about="spoken words as 16000 samples, 35 classes",
    size="84843 train, 9981 valid, 11005 test",
    training=84843,
    provenance="Speech Commands v0.02, Warden",
    license="often cited as CC BY 4.0",
    splits=THREE_SPLITS,
    task=Task(STEPS, SCALE, len(WORDS), bits=15, dt=1 / RATE),
    copies=((FOLDERS, tuple(_LISTS.values())),),
    remedy=_REMEDY,
    read=read,
)
