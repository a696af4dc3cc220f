# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""How certificates come from the node that orders them: what is given, and what is taken."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.test_acme import HELPERS, acme, pem

__all__ = ["acme", "pem"]

SSH = """#!/bin/sh
printf '%s\\n' "$@" > {heard}
cat {answer}
echo 'Permission denied (publickey).' >&2
exit {code}
"""


@pytest.fixture
def handover(acme) -> ModuleType:
    return sys.modules[HELPERS[4]]


@pytest.fixture
def issuer(handover) -> t.Any:
    return handover.Issuer("node1", "10.0.0.1", 2222, "archipel-certificates", "/k", "/hosts")


@pytest.fixture
def tls(acme, tmp_path, pem) -> Path:
    """The folder of a node that has one certificate."""
    store = sys.modules["_acme_store"]
    place = store.Place(tmp_path / "tls/wildcard", tmp_path / "tls/.versions", os.getgid())
    place.put(pem, store.Held(0.0, 9.0, "https://a.test/dir *.a.test"))
    return tmp_path / "tls"


class Ssh:
    """Stands in for the program: what it is called with, and what it answers."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def answers(self, text: str, code: int = 0) -> None:
        (self.folder / "answer").write_text(text)
        script = SSH.format(heard=self.folder / "heard", answer=self.folder / "answer", code=code)
        (self.folder / "ssh").write_text(script)
        (self.folder / "ssh").chmod(0o755)

    @property
    def heard(self) -> list[str]:
        return (self.folder / "heard").read_text().splitlines()


@pytest.fixture
def ssh(tmp_path, monkeypatch) -> Ssh:
    return Ssh(tmp_path, monkeypatch)


def test_what_is_given_is_what_is_taken(handover, issuer, ssh, tls, pem):
    names = handover.parse_names(["--give", "wildcard=wildcard", "office=node2--office"])
    assert names == {"wildcard": "wildcard", "office": "node2--office"}
    ssh.answers(handover.give(tls, names))
    given = handover.fetch(issuer)
    assert given == {"wildcard": handover.Given("https://a.test/dir *.a.test", pem)}
    assert handover.is_pair(given["wildcard"].files)


def test_nobody_else_is_asked_and_no_terminal_or_password_is(handover, issuer, ssh):
    ssh.answers('{"version": 1, "certificates": {}}')
    assert handover.fetch(issuer) == {}
    heard = ssh.heard
    assert heard[:7] == ["-F", "none", "-T", "-i", "/k", "-p", "2222"]
    assert heard[-1] == "archipel-certificates@10.0.0.1"
    for option in (
        "BatchMode=yes",
        "HostKeyAlias=node1",
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=/hosts",
        "GlobalKnownHostsFile=none",
        "IdentitiesOnly=yes",
    ):
        assert option in heard


def test_who_is_refused_is_told_what_ssh_said_and_what_to_do(handover, issuer, ssh):
    ssh.answers("", 255)
    with pytest.raises(handover.HandoverError) as caught:
        handover.fetch(issuer)
    assert str(caught.value) == (
        "node1 (10.0.0.1, port 2222), which orders for this node, handed nothing over: Permission "
        "denied (publickey). Let its SSH port be reachable from this node, and converge both"
    )


def test_a_node_that_says_nothing_is_not_waited_for(handover, issuer, ssh, monkeypatch):
    (ssh.folder / "ssh").write_text("#!/bin/sh\nexec sleep 5\n")
    (ssh.folder / "ssh").chmod(0o755)
    monkeypatch.setattr(handover, "SECONDS", 0.3)
    with pytest.raises(handover.HandoverError, match="gave no answer in"):
        handover.fetch(issuer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Welcome to node1",
        "[]",
        "{}",
        '{"certificates": []}',
        '{"certificates": {"wildcard": {"identity": "x", "files": {"fullchain.pem": "y"}}}}',
        '{"certificates": {"wildcard": {"identity": "x", "files": "y"}}}',
    ],
)
def test_whatever_else_comes_is_no_certificate(handover, issuer, ssh, text):
    ssh.answers(text)
    with pytest.raises(handover.HandoverError, match="something else than certificates"):
        handover.fetch(issuer)


def test_a_folder_that_is_replaced_while_it_is_read(handover, tls, monkeypatch):
    """Its files are removed as soon as the link leads to the next: that one is read."""
    store = sys.modules["_acme_store"]
    place = store.Place(tls / "wildcard", tls / ".versions", os.getgid())
    text = {name: (tls / "wildcard" / name).read_bytes() for name in store.FILES}
    read = Path.read_text
    moments = iter([False, True])

    def interrupted(self: Path, *arguments: t.Any, **named: t.Any) -> str:
        found = read(self, *arguments, **named)
        if next(moments, False):
            place.put(text | {"chain.pem": b"new"}, store.Held(0.0, 9.0, "new"))
        return found

    monkeypatch.setattr(Path, "read_text", interrupted)
    given = json.loads(handover.give(tls, {"wildcard": "wildcard"}))["certificates"]["wildcard"]
    assert (given["identity"], given["files"]["chain.pem"]) == ("new", "new")


def test_what_is_not_there_is_not_given(handover, tls):
    (tls / "wildcard/privkey.pem").unlink()
    assert json.loads(handover.give(tls, {"wildcard": "wildcard"}))["certificates"] == {}


def test_keys_are_told_apart(handover, pem):
    assert not handover.is_pair({**pem, "privkey.pem": b"nothing"})
    assert not handover.is_pair({"fullchain.pem": b"", "privkey.pem": b""})


def test_the_program_gives_by_command(acme, tls, tmp_path, capsys):
    """As sshd begins it."""
    keys = ("store", "names", "map", "directory", "email", "group", "names_group", "webroot")
    settings = dict.fromkeys((*keys, "vhosts"), "")
    rest: dict[str, t.Any] = {"tls": str(tls), "requests": {}, "covered": [], "orders": 1}
    path = tmp_path / "certificates.json"
    path.write_text(json.dumps(settings | rest))
    assert acme.main(["--give", "wildcard=wildcard"], path) == 0
    given = json.loads(capsys.readouterr().out)["certificates"]
    assert list(given) == ["wildcard"]
