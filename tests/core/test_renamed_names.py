"""Keywords and attributes by their old names: same result, with one warning that names both."""

import pytest

from neurossm.deprecation import Deprecated, renamed
from neurossm.quantization import Quantize


@renamed(old="new")
def doubled(new: int) -> int:
    return 2 * new


def test_a_renamed_keyword_of_a_function_warns_at_its_caller():
    message = r"^doubled\(old=\) is deprecated, use doubled\(new=\) \(removed in 0\.4\)$"
    with pytest.warns(Deprecated, match=message) as seen:
        assert doubled(old=4) == 8  # type: ignore[call-arg]
    assert [one.filename for one in seen] == [__file__]
    assert doubled(4) == doubled(new=4) == 8


def test_a_keyword_by_both_names_is_an_error():
    with pytest.raises(TypeError, match=r"doubled\(\) got both new and its old name old"):
        doubled(new=1, old=2)  # type: ignore[call-arg]


def test_quantize_takes_message_bits():
    message = r"^Quantize\(message_bits=\) is deprecated, use Quantize\(activation_bits=\) "
    with pytest.warns(Deprecated, match=message) as seen:
        settings = Quantize(message_bits=12)  # type: ignore[call-arg]
    assert [one.filename for one in seen] == [__file__]
    assert settings == Quantize(activation_bits=12)
    with pytest.warns(Deprecated, match=r"^Quantize\.message_bits is deprecated"):
        assert settings.message_bits == 12


def test_the_options_of_lava_take_stacked():
    from neurossm_converters.backends.lava import LavaOptions

    message = r"^LavaOptions\(stacked=\) is deprecated, use LavaOptions\(batch=\) "
    with pytest.warns(Deprecated, match=message):
        assert LavaOptions(stacked=8) == LavaOptions(batch=8)  # type: ignore[call-arg]


def test_a_sweep_takes_and_gives_messages():
    from neurossm_workflows.sweep_table import Point, SweepRow, points

    with pytest.warns(Deprecated, match="^sweep width messages is deprecated, use activations"):
        assert points({"messages": [12]}, grid=True) == [Point(16, 8, 24, 12)]
    row = SweepRow("g", "d", "c", "h", 16, 8, 24, 12, samples=3)
    with pytest.warns(Deprecated, match=r"^SweepRow\.messages is deprecated"):
        assert row.messages == 12


def test_the_terms_of_a_data_set_are_read_as_licence():
    from neurossm_models.data import registry

    digits = next(entry for entry in registry() if entry.name == "digits")
    with pytest.warns(Deprecated, match=r"^Entry\.licence is deprecated, use Entry\.license "):
        assert digits.licence == "BSD (scikit-learn); data of the UCI repository"


def test_training_takes_make_twin(tmp_path):
    pytest.importorskip("torch")
    from neurossm.errors import InputError
    from neurossm_models.train import train

    message = r"^train\(make_twin=\) is deprecated, use train\(make_qat_model=\) "
    with pytest.warns(Deprecated, match=message), pytest.raises(InputError, match="nowhere"):
        train("nowhere", out=tmp_path / "r", make_twin=None)  # type: ignore[call-arg]


@pytest.mark.parametrize("stored", [True, False])
def test_a_recipe_says_the_width_of_activations_as_message_bits(stored):
    from neurossm_models.train.changes import override_all, renamed_keys, renamed_text

    tables = {"finetune": {"pole_bits": 8, "message_bits": 12}}
    if stored:  # a run wrote it: nobody is told
        renamed_keys(tables, "r.toml", stored)
    else:
        with pytest.warns(Deprecated, match=r"^r\.toml \[finetune\] message_bits is deprecated"):
            renamed_keys(tables, "r.toml", stored)
    assert tables == {"finetune": {"pole_bits": 8, "activation_bits": 12}}
    assert renamed_text("\nmessage_bits = 12\n") == "\nactivation_bits = 12\n"
    with pytest.warns(Deprecated, match=r"^--set finetune\.message_bits is deprecated"):
        override_all(tables, ["finetune.message_bits=10"])
    assert tables["finetune"]["activation_bits"] == 10
