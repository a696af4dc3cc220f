# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters handed to a relay: once each, whatever is killed, and whatever the relay answers."""

from __future__ import annotations

import contextlib
import email
import email.policy
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _relay
from tests.unit.environment import ROOT

OPERATOR = {"name": "Réseau", "email": "aide@r.example"}


def letter(slug: str, **changes: str) -> dict[str, str]:
    return {
        "key": f"{slug}/received/2026-01-01/e3b0c442",
        "slug": slug,
        "step": "received",
        "to": f"{slug}@b.example",
        "name": "Zoé\r\nBcc: x@y.example",
        "subject": "Bonjour\r\nBcc: x@y.example « à »",
        "text": "Bonjour, Zoé\n.\nà bientôt\n",
        "html": "<p>Bonjour</p>",
        **changes,
    }


THREE = [letter("a"), letter("b"), letter("c")]


class Postman:
    """Takes letters, and dies or refuses where a test wants it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refused: dict[str, Exception] = {}

    @contextlib.contextmanager
    def __call__(self) -> t.Iterator[_relay.Send]:
        def deliver(one: _relay.Letter) -> None:
            if error := self.refused.get(one["slug"]):
                raise error
            self.taken.append(one["slug"])

        yield deliver


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "letters.json")


def send(postman: Postman, journal: str, *, check: bool = False) -> dict[str, t.Any]:
    return _relay.send_all(THREE, postman, journal, check=check).result()


def test_each_once(journal: str):
    postman = Postman()
    first = send(postman, journal)
    assert first["spaces"]["a"] == ["letter received to a@b.example"]
    again = send(postman, journal)
    assert postman.taken == ["a", "b", "c"]
    assert (again["changed"], again["sent"]) == (False, first["sent"])


def test_a_check_sends_and_notes_nothing(journal: str):
    postman = Postman()
    assert set(send(postman, journal, check=True)["spaces"]) == {"a", "b", "c"}
    assert postman.taken == []
    assert not Path(journal).exists()


class KilledError(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("place", range(6))
def test_killed_between_any_two_each_is_sent_once(
    journal: str, place: int, monkeypatch: pytest.MonkeyPatch
):
    """Only right between the relay's answer and the note is one sent again, as is written down."""
    postman, passed = Postman(), []

    def die(name: str) -> None:
        passed.append(name)
        if len(passed) == place + 1:
            raise KilledError

    monkeypatch.setattr(_journal, "die_here", die)
    with contextlib.suppress(KilledError):
        send(postman, journal)
    again = send(postman, journal)
    twice = {"letters:taken": 1, "letters:noted": 0}[passed[place]]
    assert len(postman.taken) == 3 + twice
    assert set(postman.taken) == {"a", "b", "c"}
    assert set(again["sent"]) == {one["key"] for one in THREE}


def test_one_that_is_refused_keeps_no_other_and_is_tried_again(journal: str):
    postman = Postman()
    postman.refused["b"] = smtplib.SMTPRecipientsRefused({"b@b.example": (550, b"no\r\nsuch")})
    found = send(postman, journal)
    assert found["failed_spaces"] == {
        "b": "letter received to b@b.example: refused with 550 no such"
    }
    assert postman.taken == ["a", "c"]
    postman.refused.clear()
    send(postman, journal)
    assert postman.taken == ["a", "c", "b"]


def test_what_is_old_is_forgotten(journal: str):
    _journal.save(journal, {"x/received/2020-01-01/e3b0c442": time.time() - _relay.REMEMBERED - 1})
    send(Postman(), journal)
    assert set(_journal.read_json(journal)) == {one["key"] for one in THREE}


def test_nothing_that_anybody_wrote_is_a_header():
    raw = _relay.compose(letter("a"), "archipel@spaces.example.org", OPERATOR)
    made = email.message_from_bytes(raw, policy=email.policy.default)
    assert made["Bcc"] is None
    assert made["Subject"] == "Bonjour  Bcc: x@y.example « à »"
    assert made["From"].addresses[0].addr_spec == "archipel@spaces.example.org"
    assert made["From"].addresses[0].display_name == "Réseau"
    assert made["Reply-To"].addresses[0].addr_spec == "aide@r.example"
    assert made["To"].addresses[0].addr_spec == "a@b.example"
    assert made["Message-ID"] == "<a.received.2026-01-01.e3b0c442@spaces.example.org>"
    assert made["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in made.iter_parts()] == ["text/plain", "text/html"]
    plain = made.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == letter("a")["text"]


@pytest.fixture
def sink(tmp_path: Path) -> t.Iterator[tuple[int, Path]]:
    """A real SMTP server, and where it keeps what it takes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(ROOT / "tests/support/mailsink.py")
    folder = tmp_path / "sink"
    folder.mkdir()
    command = [sys.executable, program, "--port", str(port), str(folder)]
    with subprocess.Popen(command) as process:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port, folder
        process.kill()


def test_a_real_relay_takes_them(sink: tuple[int, Path], journal: str):
    port, folder = sink
    relay = {"host": "127.0.0.1", "port": port, "from": "{slug}@spaces.example.org"}
    found = _relay.send_all(THREE, _relay.way(relay, OPERATOR), journal, check=False).result()
    assert found["failed_spaces"] == {}
    assert len(list(folder.glob("*.json"))) == 3


@pytest.mark.parametrize(
    ("relay", "said"),
    [
        ({"host": "127.0.0.1", "port": 1, "from": "a@b.example"}, "127.0.0.1:1: .*refused"),
        ({"host": "127.0.0.1", "secure": "tls", "from": "a@b.example"}, "STARTTLS"),
    ],
)
def test_a_relay_that_is_not_the_one(
    sink: tuple[int, Path], journal: str, relay: dict[str, t.Any], said: str
):
    given = {"port": sink[0], **relay}
    with pytest.raises(_relay.RelayError, match=said):
        _relay.send_all(THREE, _relay.way(given, OPERATOR), journal, check=False)
    assert not Path(journal).exists()


def test_without_a_relay_they_wait_on_the_node(tmp_path: Path, journal: str):
    spool = tmp_path / "spool"
    _relay.send_all(
        THREE, lambda: _relay.by_spool(str(spool), "aide@r.example", OPERATOR), journal, check=False
    )
    assert sorted(path.name for path in spool.iterdir()) == [
        "a.received.2026-01-01.e3b0c442.eml",
        "b.received.2026-01-01.e3b0c442.eml",
        "c.received.2026-01-01.e3b0c442.eml",
    ]
    assert (spool / "a.received.2026-01-01.e3b0c442.eml").stat().st_mode & 0o777 == 0o600


def test_an_authority_that_php_takes_is_taken():
    """Whoever gets an invitation gets letters: the same relay, the same authority."""
    made = _relay.context({"host": "x"})
    assert not made.verify_flags & ssl.VERIFY_X509_STRICT
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert _relay.context({"host": "x", "verify": False}).verify_mode is ssl.CERT_NONE
