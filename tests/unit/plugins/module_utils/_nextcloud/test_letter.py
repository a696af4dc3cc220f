# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invitations that are kept on the node: what people wrote is words, and nothing else."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _letter

INVITATION = {
    "to": "bureau@velo-ecole.example",
    "name": "Nadia Ferrand",
    "from_name": "Fédération d’à côté",
    "reply_to": "aide@federation.example",
    "subject": "Votre espace «\u00a0Vélo-école\u00a0» est prêt",
    "link": "https://velo-ecole.example.org/x",
    "body": "Bonjour,\n\nhttps://velo-ecole.example.org/x\n",
    "html": "<p>Bonjour</p>\n",
}
HOSTILE = [
    "Nadia\r\nBcc: all@world.example",
    "Nadia\nTo: other@world.example",
    "Nadia\u2028Bcc: all@world.example",
    "Nadia\x00\x0bBcc: all@world.example",
    '"Nadia" <evil@world.example>, x',
    "=?utf-8?q?Nadia=0D=0ABcc=3A_all=40world.example?=",
    "{{ 7 * 7 }} שלום 🎪 " + "é" * 180,
]


def raw(**changes: str) -> list[str]:
    """The lines of its head, as a mail program in between sees them."""
    text = _letter.message({**INVITATION, **changes}).as_string()
    return text.partition("\n\n")[0].split("\n")


def read(**changes: str) -> EmailMessage:
    text = _letter.message({**INVITATION, **changes}).as_bytes()
    found = email.message_from_bytes(text, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def test_it_can_be_sent_as_it_is():
    letter = read()
    assert letter["To"] == "Nadia Ferrand <bureau@velo-ecole.example>"
    assert letter["From"].addresses[0].display_name == INVITATION["from_name"]
    assert letter["Reply-To"].addresses[0].addr_spec == "aide@federation.example"
    assert letter["Subject"] == INVITATION["subject"]
    assert letter["Date"].datetime.tzinfo is not None
    assert letter["Message-ID"]
    for kind, text in (("plain", "body"), ("html", "html")):
        part = letter.get_body((kind,))
        assert isinstance(part, EmailMessage)
        assert part.get_content() == INVITATION[text]


def test_of_an_older_application():
    letter = read(html="", from_name="", reply_to="")
    assert letter["From"] is None
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["name", "from_name", "subject"])
def test_nothing_becomes_a_header(field: str, text: str):
    letter = read(**{field: text})
    assert sorted(letter.keys()) == sorted(read().keys())
    assert "all@world.example" not in [line.split()[-1] for line in raw(**{field: text})]
    for header, address in (("To", INVITATION["to"]), ("Reply-To", INVITATION["reply_to"])):
        assert [one.addr_spec for one in letter[header].addresses] == [address]


def test_it_is_for_root_only(monkeypatch: pytest.MonkeyPatch):
    written: list[dict[str, object]] = []
    monkeypatch.setattr(_files, "write_file", written.append)
    _letter.spool(INVITATION, _letter.path_of("/spool", "velo-ecole"))
    assert [(w["path"], w["uid"], w["mode"]) for w in written] == [
        ("/spool/velo-ecole.eml", 0, 0o600)
    ]
