# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`occ archipel:apply` takes whatever document: applied, or refused in sentences."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import texts

PROGRAM = Path(__file__).with_name("apply.php")
# How the command ends.
DONE, FAILED, INVALID = 0, 1, 2
LONGEST, SECONDS = 600, 5.0
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
GOOD: dict[str, t.Any] = {
    "apps": {"enable": ["calendar"], "disable": ["survey_client"]},
    "app_config": {"theming": {"name": "Vélo-école", "color": "#00679e"}},
    "app_defaults": {"core": {"default_language": "fr"}},
    "groups": ["members", "admins"],
    "office": {
        "suites": {"collabora": {"name": "Collabora", "application": "richdocuments"}},
        "default": "collabora",
        "pinned": False,
    },
    "admin": {
        "uid": "admin-velo",
        "display_name": "Nadia Ferrand",
        "email": "bureau@velo-ecole.example",
        "language": "fr",
        "locale": "fr_FR",
        "groups": ["admins"],
        "subadmin_of": ["members"],
    },
    "delegations": {"OCA\\Theming\\Settings\\Admin": ["admins"]},
    "remove_users": ["archipel-setup"],
    "invite": True,
}
DOCUMENT = json.dumps(GOOD).encode()
SIGNS = [
    *(sign.encode("utf-8", "surrogatepass") for sign in texts.ODD),
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"1e999", b"-1e999", b"-0", b"9" * 30),
    *(b'"\\u0000"', b'"\\ud800"', b'"\\u0000a": 1,', b'"": ', b'"0": ', b"\xff", b"[" * 40),
    *(b"NaN", b"Infinity", b"\xef\xbb\xbf", b'"admin": ', b"/* */", b"{}", b"[]", b"true", b"1.0"),
]
KEYS = st.sampled_from(
    sorted({*GOOD, *GOOD["admin"], *GOOD["office"], "open", "query", "url", "key", "logo", "file"})
)
VALUE = st.one_of(
    texts.nested(KEYS | texts.text),
    st.builds(texts.deep, texts.scalar, st.integers(1, 40), mapping=st.booleans()),
    # What JSON has and Python's own values lack: numbers beyond all bounds.
    st.sampled_from([float("inf"), float("-inf"), 1.5, -0.0, 2**70]),
)


def put(document: dict[str, t.Any], place: t.Sequence[str], value: t.Any) -> dict[str, t.Any]:
    """Return a document with another value in a place, whose way is made."""
    key, *inner = place
    found = document.get(key)
    below = put(found if isinstance(found, dict) else {}, inner, value) if inner else value
    return {**document, key: below}


def as_json(value: t.Any) -> bytes:
    """Write a value as JSON; what is beyond all numbers as a number that is."""
    text = json.dumps(value).replace("-Infinity", "-1e999").replace("Infinity", "1e999")
    return text.encode()


PLACES = [
    *((key,) for key in (*GOOD, "logo", "invite_by_mail", "unknown")),
    *(("admin", key) for key in GOOD["admin"]),
    *(("office", key) for key in GOOD["office"]),
    ("office", "suites", "collabora"),
    *(("office", "suites", "collabora", key) for key in ("name", "application", "open", "served")),
    *(("office", "suites", "collabora", "open", key) for key in ("query", "url", "key")),
    *(("apps", key) for key in ("enable", "disable")),
    *((key, "mail") for key in ("app_config", "app_defaults")),
    *((key, "mail", "anything") for key in ("app_config", "app_defaults")),
    *(("logo", key) for key in ("file", "sha256")),
    ("delegations", "OCA\\Theming\\Settings\\Admin"),
]
SHAPED = st.lists(st.tuples(st.sampled_from(PLACES), VALUE), min_size=1, max_size=4)
ODD_KEYS = st.tuples(st.sampled_from(PLACES), texts.text, VALUE)
ANY_BYTES = st.one_of(
    st.binary(max_size=100),
    st.lists(st.sampled_from(SIGNS), max_size=12).map(b"".join),
    texts.spoiled(DOCUMENT, SIGNS),
)


class Occ:
    """A process of PHP that applies one document after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["php", "-d", "display_errors=stderr", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def apply(
        self, document: bytes, before: t.Sequence[str] = (), *, dry_run: bool = False
    ) -> dict[str, t.Any]:
        """Apply a document to a new space, and return what came of it."""
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        asked = {
            "document": base64.b64encode(document).decode(),
            "before": before,
            "dry_run": dry_run,
        }
        pipes.stdin.write(json.dumps(asked) + "\n")
        pipes.stdin.flush()
        line = pipes.stdout.readline()
        assert line, f"PHP ended with {pipes.wait(10)} at {document!r}"
        return dict(json.loads(line))

    def end(self) -> None:
        """Let it go, and hold that it ends well."""
        self._process.communicate("", timeout=30)
        assert self._process.returncode == 0


@pytest.fixture(scope="module")
def occ() -> Iterator[Occ]:
    """One process for all: starting PHP takes longer than what it does."""
    running = Occ()
    yield running
    running.end()


def check(answer: dict[str, t.Any]) -> None:
    """Hold that a person or a program can go on from what the command said."""
    assert "thrown" not in answer, answer["thrown"]
    assert answer["seconds"] < SECONDS
    assert answer["status"] in {DONE, FAILED, INVALID}
    for line in answer["errors"].splitlines():
        assert len(line) <= LONGEST, line[:200]
        # PHP and Python know different versions of Unicode: what is not assigned may differ.
        assert UNSEEN.isdisjoint(map(unicodedata.category, line)), repr(line)
    if answer["status"] == INVALID:
        assert answer["output"] == ""
        assert answer["errors"].splitlines()[-1] == "archipel:apply: nothing was changed"
    else:
        report = json.loads(answer["output"])
        assert (report["errors"] == []) == (answer["status"] == DONE)


def test_the_document_that_all_others_are_made_of_is_right(occ: Occ):
    answer = occ.apply(DOCUMENT)
    assert answer["status"] == DONE, answer
    assert json.loads(answer["output"])["changed"] is True


@given(ANY_BYTES)
def test_any_bytes(occ: Occ, document: bytes):
    check(occ.apply(document))


@given(SHAPED, st.booleans())
def test_other_values_in_a_right_document(
    occ: Occ, changes: list[tuple[tuple[str, ...], t.Any]], dry_run: bool
):
    document = GOOD
    for place, value in changes:
        document = put(document, place, value)
    check(occ.apply(as_json(document), dry_run=dry_run))


@given(ODD_KEYS)
def test_odd_keys_in_a_right_document(occ: Occ, change: tuple[tuple[str, ...], str, t.Any]):
    place, key, value = change
    check(occ.apply(as_json(put(GOOD, (*place, key), value))))


@given(st.lists(texts.nested(KEYS).map(json.dumps) | texts.text, min_size=1, max_size=3))
def test_any_commands_before(occ: Occ, commands: list[str]):
    check(occ.apply(DOCUMENT, before=commands))


@pytest.mark.parametrize("sign", [b"[", b'{"a":', b'"', b"\\", b"1", b"-", b" "])
def test_a_megabyte_of_one_sign_takes_no_time(occ: Occ, sign: bytes):
    answer = occ.apply(sign * (1_000_000 // len(sign)))
    check(answer)
    assert answer["status"] == INVALID
