"""Streams cut into pieces, and put together again."""

from dataclasses import replace

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm_models.data import Dataset
from neurossm_models.data.streams import check_stream, joined

TOKENS = np.array([[3, 1, 4], [1, 5, 9], [2, 0, 0]])
LABELS = np.array([[1, 4, 1], [5, 9, 2], [6, -1, -1]])


def stream(**changes):
    pieces = Dataset("x", "test", TOKENS[..., None], 1.0, LABELS, "pi", 10, np.array([3, 3, 1]),
                     kind="next-step", consecutive=True)  # fmt: skip
    return replace(pieces, **changes)


def test_pieces_are_one_sequence_without_what_pads_the_last():
    whole = joined(stream())
    assert whole.inputs[..., 0].tolist() == [[3, 1, 4, 1, 5, 9, 2]]
    assert whole.labels.tolist() == [[1, 4, 1, 5, 9, 2, 6]] and whole.lengths is None
    assert whole.take(slice(1)).labels.tolist() == whole.labels.tolist()  # and stay as they are
    full = joined(stream(lengths=None))
    assert full.shape == (1, 9, 1) and full.labels[0, -2:].tolist() == [-1, -1]


def test_labels_that_go_on_into_the_next_piece_are_kept_when_samples_are_taken():
    taken = stream().take(slice(0, 2))
    assert taken.labels.tolist() == LABELS[:2].tolist() and taken.consecutive
    made = stream(labels=None).take(slice(0, 2))
    assert made.labels.tolist() == [[1, 4, -1], [5, 9, -1]]


def test_what_is_no_stream_is_refused():
    for odd in (stream(consecutive=False), stream().take(np.array([0, 1])),
                stream().select(slice(0, 3, 2))):  # fmt: skip
        with pytest.raises(InputError, match=r"x:test as a stream: expected pieces of one stream"):
            check_stream(odd)
    with pytest.raises(InputError, match="expected padding in the last piece only"):
        joined(stream(lengths=np.array([3, 2, 1])))
    check_stream(stream(lengths=None))
