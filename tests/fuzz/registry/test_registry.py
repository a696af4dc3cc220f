# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The registry reads whatever strangers write: into records, or into sentences with a line."""

from __future__ import annotations

import re
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import BLANKS
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _rules
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _strict_yaml
from tests.fuzz import texts
from tests.unit.environment import SPACE, Environment

# A sentence that somebody reads to its end, and the processor time that anything may take.
LONGEST, SECONDS = 1_000, 5.0
# Problems of one file in one run: those that are listed, one that counts the others, and what
# rules across files find.
MOST = _rules.MOST_LISTED + 20
GOOD = {
    **SPACE,
    "domains": ["cloud.velo-ecole.example"],
    "limits": {"accounts": 20, "storage_gb": 5},
    "theme": {"color": "#00679e", "slogan": "À tout âge"},
}
FILE = yaml.safe_dump(GOOD, allow_unicode=True, sort_keys=False).encode()
# What YAML makes something of, alone and where it meets what is there.
SIGNS = [
    *(sign.encode() for sign in texts.ODD),
    *(b"- ", b"? ", b": ", b"#", b"---\n", b"...\n", b"%YAML 9.9\n", b"%TAG ! tag:x:\n"),
    *(b"[", b"]", b"{", b"}", b",", b"|\n", b">-\n", b"&a ", b"*a", b"!!python/name:os ", b"<<: "),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xfe\xff", b"[" * 100, b"- " * 50),
    *(b"<<<<<<< HEAD\n", b"name: again\n", b"\t", b"\r", b"'", b'"', b"\n", b"  "),
]
ANY_BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(SIGNS), max_size=20).map(b"".join),
    texts.spoiled(FILE, SIGNS),
)
SHAPED = st.builds(
    texts.written,
    texts.shaped(_rules.SCHEMA.root, GOOD),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
# What a name of a file may hold: all but the slash and the zero byte.
NAME = texts.text.map(lambda text: re.sub(r"[/\0]", "-", text)[:60]).filter(
    lambda name: name not in {"", ".", ".."}
)


def is_plain(value: t.Any, depth: int = 0) -> bool:
    """Tell whether a value is made of what we read, and no deeper."""
    if isinstance(value, dict):
        inner = [*value.values()]
        return all(type(key) is str for key in value) and is_plain(inner, depth)
    if isinstance(value, list):
        return depth <= _strict_yaml.MAX_DEPTH and all(is_plain(one, depth + 1) for one in value)
    return value is None or type(value) in {str, int, bool}


def check_sentence(text: str) -> None:
    """Hold that a message is one that people can read, and that no terminal obeys."""
    assert text
    assert all(char.isprintable() or char in BLANKS for char in text), repr(text)
    assert "Traceback" not in text
    assert len(text) <= LONGEST, f"{len(text)} characters: {text[:200]}"


@contextmanager
def in_time() -> Iterator[None]:
    """Hold that something is done in bounded time."""
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with one association, whose file is right."""
    made = Environment(tmp_path_factory.mktemp("fuzz") / "inventories" / "lab")
    made.space("velo-ecole")
    return made


@pytest.fixture(scope="module")
def lenient(environment: Environment) -> Environment:
    """The same, whose wrong files are left out."""
    other = Environment(environment.root.with_name("lenient"))
    other.space("velo-ecole")
    other.options(on_invalid="skip")
    return other


def problems_of(environment: Environment, files: t.Mapping[str, bytes]) -> list[str]:
    """What the inventory says of files of associations."""
    paths = [environment.write(f"spaces/{name}", data) for name, data in files.items()]
    try:
        with in_time():
            return environment.problems()
    finally:
        for path in paths:
            path.unlink()


@given(ANY_BYTES | SHAPED)
def test_any_bytes_are_plain_values_or_one_sentence_with_its_line(data: bytes):
    lines: _strict_yaml.Lines = {}
    try:
        with in_time():
            value = _strict_yaml.load(data, lines)
    except _strict_yaml.StrictYamlError as error:
        check_sentence(str(error))
        assert error.line is None or 1 <= error.line <= data.count(b"\n") + data.count(b"\r") + 2
    else:
        assert is_plain(value)
        assert all(line >= 1 for line in lines.values())


@given(ANY_BYTES | SHAPED)
@example(b"just a text")
@example(b"- a list")
@example(b"7")
def test_a_file_is_a_space_or_sentences_that_name_it_with_a_line(
    environment: Environment, data: bytes
):
    problems = problems_of(environment, {"fuzzed.yml": data})
    assert len(problems) <= MOST
    for problem in problems:
        check_sentence(problem)
        assert re.match(r"spaces/fuzzed\.yml:\d+: |spaces/fuzzed\.yml: found \d+ bytes", problem), (
            problem
        )


@given(ANY_BYTES | SHAPED)
def test_a_wrong_file_is_left_out_and_the_others_stay(lenient: Environment, data: bytes):
    """With `on_invalid: skip` nothing that one association writes stops the others."""
    assert problems_of(lenient, {"fuzzed.yml": data}) == []


@given(st.dictionaries(NAME, SHAPED | st.just(FILE), max_size=4))
def test_several_files_under_any_names(environment: Environment, files: dict[str, bytes]):
    for problem in problems_of(environment, files):
        check_sentence(problem)
        assert problem.startswith("spaces/")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(sign * (_strict_yaml.MAX_BYTES // len(sign)), id=repr(sign))
        for sign in dict.fromkeys(sign for sign in SIGNS if sign)
    ],
)
def test_a_full_file_of_one_sign_takes_no_time(environment: Environment, data: bytes):
    problems = problems_of(environment, {"fuzzed.yml": data})
    assert problems
    for problem in problems:
        check_sentence(problem)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("\n".join(f"key{n}:" for n in range(7_000)).encode(), id="unknown keys"),
        pytest.param(b"? " + b"k" * 60_000 + b"\n: 1\n", id="one long key"),
        pytest.param(b"? " + b"k" * 30_000 + b"\n: 1\n? " + b"k" * 30_000 + b"\n: 1\n", id="twice"),
        pytest.param(b"a: &" + b"k" * 60_000 + b" 1\n", id="one long anchor"),
        pytest.param(b"a: !" + b"k" * 60_000 + b" 1\n", id="one long tag"),
        pytest.param(FILE + b"extra: [" + b"[],"[:2] * 20_000 + b"]\n", id="empty lists"),
        pytest.param(
            FILE.replace(b"cloud.", b"cloud.example\n- cloud." * 3_000), id="one domain, again"
        ),
        pytest.param(
            b"domains:\n" + b"".join(b"- a%d.example\n" % n for n in range(4_000)), id="domains"
        ),
        pytest.param(FILE.replace(b"bureau@", b"a." * 25_000 + b"@"), id="a long address"),
        pytest.param(FILE.replace(b"cloud.", b"a-" * 25_000 + b"."), id="a long name"),
        pytest.param(FILE.replace(b"20\n", b"9" * 50_000 + b"\n"), id="a long number"),
        pytest.param(
            FILE.replace(b"20\n", b"'" + b"9" * 5_000 + b"'\n"), id="a long text of digits"
        ),
    ],
)
def test_much_of_one_thing_is_said_in_few_sentences(environment: Environment, data: bytes):
    problems = problems_of(environment, {"fuzzed.yml": data})
    assert 1 <= len(problems) <= MOST
    for problem in problems:
        check_sentence(problem)
