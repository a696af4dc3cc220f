# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The receiver of requests, as systemd starts it and nginx asks it."""

from __future__ import annotations

import contextlib
import hashlib
import html
import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _sources, _submission
from tests.unit.environment import ROOT
from tests.unit.plugins.plugin_utils._intake.test_submission import HOSTILE

PROGRAM = ROOT / "roles/intake/files/receiver.py"
FORM = {
    "name": "Vélo-école 🚲",
    "contact_email": "nadia@b.example",
    "about": "a\r\nb",
    "language": "fr",
    "charter": "yes",
    "homepage": "",
}


class Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


class Receiver:
    """The program on a socket that was opened for it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.spool = folder / "spool"
        self.spool.mkdir(exist_ok=True)
        self.taken = folder / "taken"
        self.path = str(folder / "s")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen(64)
        self._options = options
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it as systemd does, with the socket as its third descriptor."""
        number = self._socket.fileno()
        before = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
        program = [sys.executable, str(PROGRAM), "--folder", str(self.spool)]
        program += ["--taken", str(self.taken), *self._options]
        return subprocess.Popen(
            [sys.executable, "-c", before, str(number), *program], pass_fds=[number]
        )

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        connection = Connection(self.path)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def post(self, fields: dict[str, str]) -> tuple[int, str]:
        return self.ask("POST", "/request", urlencode(fields).encode())

    def task(self) -> dict[str, t.Any]:
        return json.loads(self.ask("GET", "/task")[1])

    def kept(self) -> list[dict[str, t.Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.spool.glob("*.json"))]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()


@pytest.fixture
def receiver(tmp_path: Path) -> t.Iterator[Receiver]:
    made = Receiver(tmp_path)
    yield made
    made.stop()


def solved(receiver: Receiver, **changes: str) -> dict[str, str]:
    """Return a form for which a browser has worked."""
    task = receiver.task()
    for number in itertools.count():
        digest = hashlib.sha256(f"{task['task']}:{number}".encode()).digest()
        if int.from_bytes(digest[:4], "big") >> (32 - task["bits"]) == 0:
            return {**FORM, **changes, "task": task["task"], "answer": str(number)}
    raise AssertionError


def hidden(page: str) -> dict[str, str]:
    """Return what the button of a page sends."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {key: html.unescape(value) for key, value in found}


def test_a_request_is_kept_as_intake_takes_it(receiver: Receiver):
    status, page = receiver.post(solved(receiver, office="onlyoffice", address="velo"))
    assert status == 200
    assert "Demande reçue" in page
    (path,) = receiver.spool.iterdir()
    assert path.stat().st_mode & 0o777 == 0o640
    request, wrong = _submission.check(_sources.read(path))
    assert wrong == []
    assert request
    assert request.id == path.stem
    assert page.count(path.stem[:8]) == 1
    assert (request.name, request.about, request.via) == ("Vélo-école 🚲", "a\nb", "form")


def test_a_task_is_good_for_one_request(receiver: Receiver):
    form = solved(receiver)
    assert "Demande reçue" in receiver.post(form)[1]
    assert "Vérifiez votre demande" in receiver.post(form)[1]
    assert "Vérifiez votre demande" in receiver.post({**form, "answer": "0"})[1]
    assert len(receiver.kept()) == 1


def test_without_javascript_one_waits_on_a_page(tmp_path: Path):
    """The page has what was typed, and takes no other fields with its button."""
    code = PROGRAM.read_text().replace("GOOD_FOR, WAIT = 3600, 8", "GOOD_FOR, WAIT = 3600, 1")
    assert "WAIT = 3600, 1" in code
    program = tmp_path / "receiver.py"
    program.write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "PROGRAM", program)
        receiver = Receiver(tmp_path)
    try:
        name = '<b>"Vélo" & co</b>'
        status, page = receiver.post({**FORM, "name": name})
        assert (status, receiver.kept()) == (200, [])
        assert "<b>" not in page
        again = hidden(page)
        assert again["name"] == name
        early = receiver.post(again)[1]
        assert "un peu trop tôt" in early
        assert hidden(early) == again
        time.sleep(1.2)
        assert "Vérifiez" in receiver.post({**again, "contact_email": "other@b.example"})[1]
        assert "Demande reçue" in receiver.post(again)[1]
        assert "Vérifiez" in receiver.post(again)[1]
        assert [one["name"] for one in receiver.kept()] == [name]
    finally:
        receiver.stop()


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"name": ""}, 422, "Nom de l’association\u00a0: à remplir"),
        ({"name": "x" * 201}, 422, "trop long"),
        ({"about": "x" * 2001}, 422, "2000 caractères au plus"),
        ({"charter": ""}, 422, "Charte\u00a0: à remplir"),
        ({"contact_email": "a@b"}, 422, "pas une adresse"),
        ({"contact_email": "a@b.example\nBcc: c@d.example"}, 422, "pas une adresse"),
        ({"contact_email": "é@b.example"}, 422, "pas une adresse"),
        ({"language": "en", "name": ""}, 422, "Name of the association: needed"),
        ({"status": "approved"}, 400, "Rechargez"),
        ({"../../x": "y"}, 400, "Rechargez"),
        ({"homepage": "https://spam.example"}, 200, "Demande reçue"),
    ],
)
def test_what_is_not_kept(receiver: Receiver, changes: dict[str, str], status: int, said: str):
    got, page = receiver.post({**solved(receiver), **changes})
    assert (got, receiver.kept()) == (status, [])
    assert said in page


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"%",
        b"name=%ff%fe&contact_email=a%40b.example&charter=yes",
        b"name=x&name=y",
        b"\xff\x00",
        b"name=" + b"x" * 70_000,
        b"&".join(b"name=x" for _ in range(100)),
        b'{"name": "x"}',
    ],
)
def test_a_body_that_is_no_form(receiver: Receiver, body: bytes):
    assert receiver.ask("POST", "/request", body)[0] in {400, 413, 422}
    assert receiver.post(solved(receiver))[0] == 200


def test_other_ways_to_ask(receiver: Receiver):
    assert receiver.ask("GET", "/../../etc/passwd")[0] == 404
    assert receiver.ask("POST", "/other", b"name=x")[0] == 400
    assert receiver.ask("DELETE", "/request")[0] == 501
    raw = socket.socket(socket.AF_UNIX)
    with contextlib.closing(raw):
        raw.connect(receiver.path)
        raw.sendall(b"POST /request HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\n")
        assert b" 413 " in raw.recv(4096)


def test_whether_an_address_is_free(receiver: Receiver):
    receiver.taken.write_text("velo-ecole\nwww\n")
    answers = {
        slug: json.loads(receiver.ask("GET", f"/address?{urlencode({'slug': slug})}")[1])
        for slug in ("velo-ecole", "velo", "Vélo", "-x", "")
    }
    assert answers["velo-ecole"] == {"right": True, "free": False}
    assert answers["velo"] == {"right": True, "free": True}
    assert all(answers[slug] == {"right": False, "free": False} for slug in ("Vélo", "-x", ""))


def test_a_full_spool_says_that_nothing_was_kept(tmp_path: Path):
    receiver = Receiver(tmp_path, "--most", "1")
    try:
        assert receiver.post(solved(receiver))[0] == 200
        status, page = receiver.post(solved(receiver, language="en"))
        assert (status, len(receiver.kept())) == (507, 1)
        assert "yours was not kept" in page
    finally:
        receiver.stop()


def test_a_disk_that_cannot_be_written_leaves_nothing_and_says_so(
    load: t.Callable[[str], t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = load("roles/intake/files/receiver.py")
    spool = program.Spool(tmp_path, 10)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.keep(FORM)
    assert os.listdir(tmp_path) == []


def test_killed_at_any_moment_what_was_acknowledged_is_there(receiver: Receiver):
    """Killed while requests come, started again: each answer has its file, and no file is half."""
    acknowledged = 0
    for number in range(12):
        form = solved(receiver, name=f"n{number}")
        if number % 3 == 2:
            receiver.process.send_signal(signal.SIGKILL)
            receiver.process.wait()
            receiver.process = receiver.start()
            # Its key was another one: people are asked to confirm, nothing is lost in silence.
            assert "Vérifiez" in receiver.post(form)[1]
            continue
        acknowledged += "Demande reçue" in receiver.post(form)[1]
    assert acknowledged == 8
    assert len(receiver.kept()) == 8


def test_it_ends_when_nobody_comes_and_the_socket_stays(tmp_path: Path):
    receiver = Receiver(tmp_path, "--idle", "0.5")
    try:
        assert receiver.process.wait(timeout=10) == 0
        receiver.process = receiver.start()
        assert receiver.ask("GET", "/task")[0] == 200
    finally:
        receiver.stop()


def test_a_thousand_a_minute_are_answered(receiver: Receiver):
    start = time.monotonic()
    for _ in range(100):
        assert receiver.post(FORM)[0] == 200
    assert time.monotonic() - start < 6
    assert receiver.kept() == []


FINE = {
    "name": ["Vélo-école", "42", "自行车学校", "L'Œuvre « d’été » & co", "!", "👩\u200d👧"],
    "address": ["velo", "Vélo École", "https://velo.example/x"],
    "contact_name": ["Zoé", "O'Neill, Sarah"],
    "contact_email": ["a@b.example", "o'b+c@mail.b.example"],
    "registration_number": ["W931234567", "w 931 234 567", "123 456 789 00012", "12-34/5.6"],
    "website": ["velo.example", "https://velo.example/é?a=b", "www.velo.example"],
    "about": ["a\nb", "x" * 2000],
    "office": ["collabora"],
    "language": ["fr", "en"],
}
ODD = {
    "website": ["javascript:alert(1)", "https://", "a b", 'https://x"y', "ftp://x.example", "x"],
    "registration_number": ["W1; rm", "é12", "1", "x" * 41, "--"],
    "contact_email": [
        "a@b",
        "a..b@c.example",
        "é@b.example",
        "a@b.example\nBcc: c",
        "a b@c.example",
    ],
    "office": ["../../bin/sh", "COLLABORA"],
    "name": [
        "\u200b\u2800",
        "\u200d",
        "\u3164",
        "see https://x.example",
        "www.x.example",
        "x" * 201,
    ],
    "contact_name": ["http://x.example", "\u202e"],
    "language": ["xx", "{{ 7 }}", ""],
    "charter": ["non", "no"],
}


@pytest.mark.parametrize(
    ("key", "text", "fine"),
    [
        *((key, text, True) for key, texts in FINE.items() for text in texts),
        *((key, text, None) for key, texts in ODD.items() for text in texts),
        *((key, text, None) for key in FINE for text in HOSTILE),
    ],
)
def test_who_is_thanked_can_be_taken_in(
    load: t.Callable[[str], t.Any], tmp_path: Path, key: str, text: str, *, fine: bool | None
):
    """What the receiver lets through, intake.yml takes; who writes as people do is let through."""
    program = load("roles/intake/files/receiver.py")
    fields = program.read_form(urlencode({**FORM, key: text}).encode())
    fields["language"] = "en" if fields.get("language") == "en" else "fr"
    faults = program.find_faults(fields, program.TEXTS["en"])
    assert faults.keys() <= {key}
    if fine:
        assert faults == {}
    if not faults:
        program.Spool(tmp_path, 10).keep(fields)
        (path,) = tmp_path.iterdir()
        assert _submission.check(_sources.read(path))[1] == []


def test_patterns_are_those_of_the_schema(load: t.Callable[[str], t.Any]):
    shapes = load("roles/intake/files/receiver.py").SHAPES
    properties = _submission.SCHEMA.root["properties"]
    assert {key: f"^{shape}$" for key, shape in shapes.items()} == {
        key: properties[key]["pattern"] for key in shapes
    }


def test_what_was_being_written_when_it_was_killed_goes(tmp_path: Path):
    spool = tmp_path / "spool"
    spool.mkdir()
    part, whole = spool / f".{'0' * 32}.part", spool / f"{'1' * 32}.json"
    part.write_text("{")
    whole.write_text("{}")
    receiver = Receiver(tmp_path)
    try:
        assert receiver.ask("GET", "/task")[0] == 200
        assert list(spool.iterdir()) == [whole]
    finally:
        receiver.stop()
