"""Files as people have them the first time: taken as they are meant, or refused with what helps."""

import re
import warnings

import numpy as np
import pytest

from neurossm.errors import NeurossmError, NeurossmWarning
from neurossm_models.data import from_arrays, is_own, learn, load

X = np.random.default_rng(0).normal(size=(20, 4, 2))
Y = np.arange(20) % 2


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def first(source, **more):
    facts = learn(source, valid=0, test=0, **more)
    return facts, load(source, facts=facts, split="all")


@pytest.mark.parametrize("order", [">", "<"])
def test_arrays_of_either_byte_order_reach_a_network(order):
    from neurossm_models.train.batches import tensors

    inputs, labels = (X * 100).astype(f"{order}i2"), Y.astype(f"{order}i4")
    _, data = first(from_arrays(inputs, labels, lengths=np.full(20, 3).astype(f"{order}i8")))
    x, lengths, y = tensors(data)
    assert y.tolist() == Y.tolist() and lengths.tolist() == [3] * 20
    peak = np.abs(inputs[:, :3].astype(float)).max()
    np.testing.assert_allclose(x.numpy(), inputs[:, :3].astype(float) / peak, atol=1e-6)


def test_a_column_of_labels_is_one_label_a_sample():
    facts, data = first(from_arrays(X, Y[:, None]))
    assert facts.kind == "classification" and facts.classes == 2
    assert data.labels.tolist() == Y.tolist()
    facts, data = first(from_arrays(X, np.array(["b", "a"])[Y][:, None]))
    assert facts.class_names == ("a", "b") and data.labels.tolist() == (1 - Y).tolist()
    facts, data = first(from_arrays(X, Y[:, None]), task="multilabel")
    assert facts.classes == 1 and data.labels.tolist() == Y[:, None].tolist()


def test_sequences_of_one_step_keep_what_a_column_may_mean():
    with pytest.raises(NeurossmError, match="say which task: multilabel or step-classification"):
        learn(from_arrays(X[:, :1], Y[:, None]))


def test_numbers_that_are_names_become_classes_as_texts_as_the_refusal_says():
    years = 1990 + Y
    with pytest.raises(NeurossmError, match=re.escape("got 2 of 0 to 1991; number them anew")):
        learn(from_arrays(X, years))
    facts, data = first(from_arrays(X, years.astype(str)))
    assert facts.class_names == ("1990", "1991") and data.labels.tolist() == Y.tolist()


def test_some_numbers_may_be_missing():
    assert learn(from_arrays(X, Y * 200)).classes == 201


def test_digits_with_an_underscore_are_a_name():
    facts, _ = first(from_arrays(X, np.array(["1_2", "12"])[Y]))
    assert facts.class_names == ("12", "1_2")


def test_a_class_alone_is_refused_in_texts_as_in_numbers():
    for labels in (np.zeros(20, int), np.full(20, "a")):
        with pytest.raises(NeurossmError, match="at least 2 classes, got one"):
            learn(from_arrays(X, labels))


def test_classes_of_one_sample_can_be_cut_as_the_refusal_says():
    source = from_arrays(X, np.arange(20))
    facts = learn(source)
    with pytest.raises(NeurossmError, match=r"by=label; raise .* at random: data.split_by=none"):
        load(source, facts=facts, split="valid")
    assert len(load(source, facts=learn(source, by="none"), split="valid")) == 3  # 0.15 of 20


def test_a_single_group_can_be_cut_as_the_refusal_says():
    source = from_arrays(X, Y, groups=np.zeros(20, int))
    with pytest.raises(NeurossmError, match="at least 3 groups, one a part, got 1; cut by label"):
        load(source, facts=learn(source), split="valid")
    assert len(load(source, facts=learn(source, by="label"), split="valid")) == 3


def test_quantities_on_a_network_of_classes_are_called_so():
    facts = learn(from_arrays(X, Y))
    with pytest.raises(NeurossmError, match=r"labels: expected classes as .* got 0\.5"):
        load(from_arrays(X, Y + 0.5), facts=facts, split="test")


@pytest.mark.parametrize("name", ["a:3.npz", "b c:é.npz"])
def test_a_colon_may_be_part_of_a_name(name):
    np.savez(name, inputs=X, labels=Y)
    assert is_own(name) and len(load(f"{name}:5", unit=1.0)) == 5
    assert not is_own("mnist:test") and not is_own("") and not is_own(":3")


def test_a_semicolon_separates_where_commas_are_those_of_decimals():
    lines = "label;a;b\nx;1,5;2,5\ny;0,5;1,5\n"
    with pytest.raises(NeurossmError, match=r"line 2, column 2.* got '1,5'; write decimal points"):
        learn(table("a.csv", lines))
    assert load(table("b.csv", lines.replace(",", ".")), unit=0.5).inputs[0, :, 0].tolist() == [
        3,
        5,
    ]


def test_a_comma_separates_beside_texts_with_semicolons():
    data = load(table("a.csv", 'label,a,b\n"x;1",1,2\n"y;2",3,4\n'), unit=1.0)
    assert data.class_names == ("x;1", "y;2") and data.inputs[1, :, 0].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label,a,b\n", "a row of values, got one line without a number"),
        ("label|a|b\nx|1|2\n", "columns of values, got none; separate cells by a comma"),
        ("label,a,b\nx,1_0,2\ny,1,2\n", "line 2, column 2: expected a number, got '1_0'"),
        ("0,1.5,2\n1,2,3.5\n", "add labels (to a table a column that is called label)"),
    ],
)
def test_tables_that_are_none(text, said):
    with pytest.raises(NeurossmError, match=re.escape(said)):
        learn(table("a.csv", text))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["dt", "scale"])
def test_a_unit_that_is_none_is_refused_with_its_file(name, value):
    np.savez("a.npz", inputs=X, labels=Y, **{name: value})
    with pytest.raises(NeurossmError, match=f"a.npz: {name}: expected a finite number above 0"):
        learn("a.npz")


def test_values_too_small_to_square_are_refused_without_a_warning(recwarn):
    with pytest.raises(NeurossmError, match=r"numbers that can be squared, got .*e-310; give"):
        learn(from_arrays(X * 1e-310, Y))
    assert not recwarn.list


def test_more_samples_than_there_are_can_be_had_as_the_refusal_says():
    np.savez("a.npz", inputs=X, labels=Y)
    with pytest.raises(NeurossmError, match="at most 20, got 32; without :32 all are taken"):
        load("a.npz:32", unit=1.0)


@pytest.mark.parametrize("body", ["import sys; sys.exit(3)", "raise SystemExit"])
@pytest.mark.parametrize("where", ["", "    "])
def test_a_program_that_ends_is_an_error_of_its_file(body, where):
    text = f"def f():\n    {body}\n" if where else f"{body}\ndef f(): pass\n"
    table("few.py", text)
    with pytest.raises(
        NeurossmError, match=r"py:few.py:f.*: .* got sys.exit\(3?\); keep a program"
    ):
        learn("py:few.py:f")


def test_a_recording_of_another_format_is_not_left_out_silently(tmp_path):
    import wave

    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            with wave.open(str(tmp_path / "set" / name / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(bytes(range(20)))
    (tmp_path / "set" / "a" / ".hidden.mp3").touch()
    (tmp_path / "set" / "a" / "readme.txt").touch()
    assert learn("set").classes == 2
    (tmp_path / "set" / "b" / "3.MP3").touch()
    with pytest.raises(
        NeurossmError, match=r"3.MP3: expected \*.wav beside others, got .MP3; conv"
    ):
        learn("set")


def test_arrays_in_place_of_a_name_are_told_their_function():
    with pytest.raises(NeurossmError, match="got ndarray; arrays go through from_arrays"):
        learn(X)


@pytest.mark.parametrize(
    "text",
    [
        ",t0,t1,label\n0,1.5,2.5,a\n1,3.5,4.5,b\n",  # pandas: to_csv without index=False
        ",sample,step,x,label\n0,0,0,1.5,a\n1,0,1,2.5,a\n",
    ],
    ids=["wide", "long"],
)
def test_an_index_that_pandas_wrote_is_no_value(text):
    with pytest.raises(NeurossmError, match=r"line 1: the first column has no name.*index=False"):
        learn(table("pandas.csv", text))


@pytest.mark.parametrize(("cell", "shown"), [("", "''"), ("NaN", "'NaN'")])
def test_a_gap_within_a_row_says_where_cells_may_be_empty(cell, shown):
    text = f"a,b,c,label\n1.5,{cell},2.5,x\n1.5,2.5,,y\n"
    with pytest.raises(NeurossmError, match=rf"line 2, column 2: .*got {shown}; fill gaps; only"):
        learn(table("gaps.csv", text))


def test_whole_numbers_stored_as_floats_are_said_to_be_targets():
    np.savez("floats.npz", inputs=X, labels=Y.astype(float))
    with pytest.warns(NeurossmWarning, match=r"floats\.npz: .* --task classification"):
        assert learn("floats.npz").kind == "regression"


def test_other_targets_and_a_task_that_is_set_need_no_such_note():
    many = np.arange(20.0)  # each once: counts, years, ages
    for labels in (many, Y - 0.5, -1.0 * Y, np.zeros(20), Y):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            learn(from_arrays(X, labels), "" if len(set(labels)) > 1 else "regression")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert learn(from_arrays(X, 1.0 * Y), "classification").classes == 2
