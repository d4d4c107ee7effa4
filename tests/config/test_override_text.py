"""Any list of overrides can be handed on as one text and read back as the same list."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesozoic.config import Override, join_overrides, parse_override, parse_overrides, split_overrides
from mesozoic.config.override import SECTIONS, parse_value, section_keys
from mesozoic.errors import UserError
from mesozoic.species import load_stage

PATHS = [(section, key) for section in SECTIONS for key in section_keys(section)]
STRINGS = st.text() | st.sampled_from(["it's", "True", "None", "1e4", "a b", "a=b", "[1", '"', "'''", "#", "", "\x7f"])
SCALARS = st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | STRINGS
DATES = st.dates() | st.times() | st.datetimes()
NESTED = st.recursive(SCALARS | DATES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
OVERRIDES = st.lists(
    st.builds(
        lambda path, value, stage: Override(*path, value, stage),
        st.sampled_from(PATHS),
        NESTED | st.none(),
        st.sampled_from([None, 1, 2, 3]),
    )
)


@given(OVERRIDES)
def test_any_overrides_survive_being_written_as_one_text(overrides: list[Override]) -> None:
    text = join_overrides(overrides)
    back = parse_overrides(split_overrides(text))
    assert list(back) == overrides
    assert [type(one.value) for one in back] == [type(one.value) for one in overrides]


@given(OVERRIDES, st.sampled_from([" ", "\n", "\t  ", "\r\n", " \n\n "]))
def test_any_white_space_separates(overrides: list[Override], gap: str) -> None:
    text = gap.join(["", *(join_overrides([one]) for one in overrides), ""])
    assert list(parse_overrides(split_overrides(text))) == overrides


@given(STRINGS)
def test_every_text_is_split_or_refused_without_losing_a_character(text: str) -> None:
    try:
        words = split_overrides(text)
    except UserError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert "never closed" in refusal and len(refusal) < 300 and "\n" not in refusal
        return
    assert "".join("".join(words).split()) == "".join(text.split())
    assert all(word == word.strip() and word for word in words)


@given(st.lists(st.from_regex(r"[a-z]+\.[a-z]+=[A-Za-z0-9_.*'/\]}+-]*", fullmatch=True)))
def test_plain_words_are_split_at_white_space_alone(words: list[str]) -> None:
    plain = [word for word in words if "='" not in word]
    assert split_overrides(" ".join(plain)) == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n ", []),
        ("ppo.gamma=0.98 2.ppo.gamma=0.99", ["ppo.gamma=0.98", "2.ppo.gamma=0.99"]),
        (
            "ppo.net_arch=[64, 64]\nenv.push_velocity_max=0.2",
            ["ppo.net_arch=[64, 64]", "env.push_velocity_max=0.2"],
        ),
        ("ppo.net_arch=[\n  64,\n  64,\n]\tppo.gamma=1", ["ppo.net_arch=[\n  64,\n  64,\n]", "ppo.gamma=1"]),
        ('stage.name=\'a b\' stage.name="c \\" d"', ["stage.name='a b'", 'stage.name="c \\" d"']),
        ("stage.name=it's ppo.gamma=1 stage.name=it's", ["stage.name=it's", "ppo.gamma=1", "stage.name=it's"]),
        ('ppo.x=["]", "a b"] ppo.y=1', ['ppo.x=["]", "a b"]', "ppo.y=1"]),
        ("ppo.x=[[1, 2], [3]] ppo.y={a = [1, 2]} ppo.z=1", ["ppo.x=[[1, 2], [3]]", "ppo.y={a = [1, 2]}", "ppo.z=1"]),
        ('ppo.x="""a "b" c"""" ppo.y=1', ['ppo.x="""a "b" c""""', "ppo.y=1"]),
        ("env.names=[*] ppo.gamma", ["env.names=[*]", "ppo.gamma"]),
        ("ppo.gamma = 1", ["ppo.gamma", "=", "1"]),
    ],
)
def test_what_belongs_together_stays_together(text: str, words: list[str]) -> None:
    assert split_overrides(text) == words


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("ppo.net_arch=[64, 64 ppo.gamma=0.9", "bracket ["),
        ("ppo.net_arch=[[64, 64] ppo.gamma=0.9", "bracket ["),
        ("ppo.x={a = 1", "bracket {"),
        ('stage.name="two words', 'quote "'),
        ("ppo.x=['a, 2]", "quote '"),
    ],
)
def test_what_is_never_closed_is_named(text: str, sign: str) -> None:
    with pytest.raises(UserError, match="never closed") as caught:
        split_overrides(f"ppo.n_epochs=3 {text}")
    assert sign in str(caught.value) and text[:12] in str(caught.value) and "n_epochs" not in str(caught.value)


def test_the_overrides_reach_the_stage() -> None:
    overrides = parse_overrides(split_overrides("ppo.net_arch=[64, 32]\n env.prey_distance_range=[1, 2.5]"))
    stage = load_stage("velociraptor", 3, overrides)
    assert stage.ppo.net_arch == [64, 32] or stage.ppo.net_arch == (64, 32)
    assert stage.env.prey_distance_range == (1.0, 2.5)


def test_not_a_number_survives_as_well() -> None:
    (one,) = parse_overrides(split_overrides(join_overrides([Override("ppo", "gamma", math.nan)])))
    assert isinstance(one.value, float) and math.isnan(one.value)


def test_a_line_break_in_a_value_begins_no_second_key() -> None:
    assert parse_value("1\nother = 2") == "1\nother = 2"
    assert parse_override("ppo.gamma=1\nother = 2").value == "1\nother = 2"
