# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what strangers sent to the common format: hostile text is text, or refused."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _proposal,
    _sources,
    _submission,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _rules
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _registry,
    _strict_yaml,
)
from tests.unit.environment import ROOT

GOOD: dict[str, t.Any] = {
    "format": 1,
    "kind": "space",
    "id": "0123456789abcdef0123456789abcdef",
    "received": "2026-11-20T10:00:00Z",
    "via": "form",
    "language": "fr",
    "name": "Vélo-école",
    "contact_email": "a@b.example",
    "charter": True,
}
MAIL = """\
From: Jean <jean@chorale.example>
Date: Fri, 20 Nov 2026 10:00:00 +0000
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Bonjour,
> Nom de l’association : La Chorale
Adresse souhaitée : chorale
Charte : oui
Langue : français
L’association en quelques lignes : on chante
et : on danse
--
Charte : non
"""
ISSUE = """\
### Name of the association

La Chorale

### E-mail address

jean@chorale.example

### Website

_No response_

### About the association

we sing

#### and dance

### Charter

- [X] I agree
"""


def made(**changes: t.Any) -> _submission.Submission:
    found, wrong = _submission.check({**GOOD, **changes})
    assert wrong == []
    assert found
    return found


# Names and texts that want to be more than that.
HOSTILE = [
    "{{ lookup('pipe', 'touch /tmp/x') }}",
    "{% include '/etc/passwd' %}",
    "!unsafe x",
    "${jndi:ldap://x}",
    "x: y",
    "- x",
    "# x",
    "*x &y",
    "'; DROP DATABASE spaces; --",
    "$(reboot) `reboot`",
    "../../../etc/passwd",
    "/etc/passwd",
    "<script>alert(1)</script>",
    "x\r\nBcc: everybody@example",
    "x\nstatus: approved",
    "x\u2028status: approved",
    "x\x85status: approved",
    "=?utf-8?b?eA0KQmNjOiB5?=",
    "😀𝓥é𝔩𝔬",
    "\u202egpj.exe",
    "a\u200bdmin",
    "\x1b[31mred\x07",
    "::error ::x",
    "##vso[x]",
    "\ufeffx",
    "null",
    "true",
    "1e9",
    "yes",
    "---",
    "...",
    "|",
    ">",
    "? x",
    "@x",
    "%YAML 1.2",
    "{a: b}",
    "[a]",
    "<<<<<<< HEAD",
    "=======",
    '"',
    "\\",
    "\\x41",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("key", ["name", "contact_name", "address", "about"])
def test_hostile_text_is_a_value_of_a_file_and_nothing_else(key: str, text: str):
    request = made(**{key: text})
    slug = _proposal.propose(request.address, request.name, request.id, frozenset())
    assert _registry.SLUG.fullmatch(slug)
    values = _proposal.values(request, slug, vaulted=False)
    file = _proposal.text(values)
    read = _strict_yaml.load(file)
    assert read == values
    assert (read["status"], read["contact"]["email"]) == ("requested", "a@b.example")
    assert _rules.check_schema(_registry.Record(slug, "x.yml", read)) == []
    one_line = read["name"] + read["contact"].get("name", "") + read["request"].get("address", "")
    assert one_line.replace("\u200d", "").isprintable()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name: missing"),
        ({"name": "\u200b\u2800"}, "name: missing"),
        ({"name": "x" * 201}, "name: found"),
        ({"name": "x" * 10_000_000}, "name: found"),
        ({"name": ["x"]}, "name: found"),
        ({"name": {"$ref": "x"}}, "name: found"),
        ({"about": "x" * 2001}, "about: found"),
        ({"charter": False}, "charter: found"),
        ({"charter": "non"}, "charter: found"),
        ({"contact_email": "a@b.example\nBcc: c@d.example"}, "contact_email: found"),
        ({"contact_email": "a@b.example, c@d.example"}, "contact_email: found"),
        ({"contact_email": '"a b"@c.example'}, "contact_email: found"),
        ({"website": "javascript:alert(1)"}, "website: found"),
        ({"website": 'https://x"onclick='}, "website: found"),
        ({"registration_number": "W1; rm"}, "registration_number: found"),
        ({"id": "../../etc/cron.d/x"}, "id: found"),
        ({"received": "yesterday"}, "received: found"),
        ({"language": "xx"}, "language: found"),
        ({"status": "approved"}, "status: unknown key"),
        ({"decision": {"by": "me"}}, "decision: unknown key"),
        ({"kind": "root"}, "kind: found"),
        ({"name": "Win at https://casino.example"}, "name: found a web address; allowed: a name"),
        ({"contact_name": "see WWW.casino.example"}, "contact_name: found a web address"),
        ({"format": 2}, "format: found"),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(changes: dict[str, t.Any], said: str):
    found, wrong = _submission.check({**GOOD, **changes})
    assert found is None
    assert any(one.startswith(said) for one in wrong), wrong
    assert all(len(one) < 400 for one in wrong)


def test_what_people_type_is_tidied():
    request = made(
        name="  Vélo\u200b-e\u0301cole \t de\u00a0 Paris ",
        registration_number="w 931 234 567",
        website="velo.example",
        about="a \r\n\r\n\r\n\r\nb\r\n",
    )
    assert request.name == "Vélo-école de Paris"
    assert (request.registration_number, request.website) == ("W931234567", "https://velo.example")
    assert request.about == "a\n\nb"


class TestSources:
    def read(self, folder: Path, name: str, text: str) -> dict[str, t.Any]:
        (folder / name).write_text(text, encoding="utf-8")
        return _sources.read(folder / name)

    def test_all_three_ways_become_the_same(self, tmp_path: Path):
        form = {**GOOD, "name": "La Chorale", "contact_email": "jean@chorale.example"}
        ways = [
            self.read(tmp_path, "a.json", json.dumps(form)),
            self.read(tmp_path, "b.eml", MAIL),
            self.read(tmp_path, "c.md", ISSUE),
            self.read(tmp_path, "d.json", json.dumps({"body": ISSUE, "created_at": "2026-11-20"})),
        ]
        found = [_submission.check(values)[0] for values in ways]
        assert [one.via for one in found if one] == ["form", "mail", "forge", "forge"]
        assert {(one.name, one.email, one.language) for one in found if one} == {
            ("La Chorale", "jean@chorale.example", "fr")
        }
        mail, issue = found[1], found[2]
        assert mail
        assert issue
        assert (mail.address, mail.about) == ("chorale", "on chante\net : on danse")
        assert issue.about == "we sing\n\n#### and dance"
        assert issue.website == ""
        # The same issue, by hand and from the API, is one.
        assert len({one.id for one in found if one}) == 3

    def test_a_mail_that_was_read_twice_is_one(self, tmp_path: Path):
        first = self.read(tmp_path, "a.eml", MAIL)
        assert self.read(tmp_path, "b.eml", MAIL)["id"] == first["id"]

    @pytest.mark.parametrize("date", ["Mon, 1 Jan 2035 10:00:00 +0000", "x", "1 Jan 1970", ""])
    def test_a_date_that_nobody_can_believe_is_that_of_the_file(self, tmp_path: Path, date: str):
        mail = MAIL.replace("Fri, 20 Nov 2026 10:00:00 +0000", date)
        path = tmp_path / "a.eml"
        path.write_text(mail, encoding="utf-8")
        os.utime(path, (1_764_000_000, 1_764_000_000))
        assert _sources.read(path)["received"] == "2025-11-24T16:00:00Z"

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.json", b'{"format": 1', "cannot be read"),
            ("a.json", b"[]", "no JSON object"),
            ("a.json", b'{"format": 1, "name": "x", "name": "y"}', "a key twice"),
            ("a.json", b"[" * 100_000, "cannot be read"),
            ("a.json", b"\xff", "not UTF-8"),
            ("a.json", b'"' + b"x" * 10_000_000 + b'"', "more than 262144 bytes"),
            ("a.md", b"\xff", "not UTF-8"),
            ("a.eml", b"Content-Type: text/html\n\n<p>x", "no plain text"),
            ("a.eml", b"Content-Type: text/plain; charset=x\n\n\xff", "unknown character set"),
        ],
    )
    def test_what_is_no_request(self, tmp_path: Path, name: str, content: bytes, said: str):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(_sources.SourceError, match=said):
            _sources.read(tmp_path / name)

    def test_links_pipes_and_folders_are_never_read(self, tmp_path: Path):
        (tmp_path / "a.json").symlink_to("/etc/passwd")
        (tmp_path / "b.json").mkdir()
        os.mkfifo(tmp_path / "c.json")
        for name in "abc":
            with pytest.raises(_sources.SourceError):
                _sources.read(tmp_path / f"{name}.json")

    def test_other_files_of_the_folder_are_none(self, tmp_path: Path):
        for name in ("a.json", "b.txt", ".c.json", "d.json.part"):
            (tmp_path / name).touch()
        assert [path.name for path in _sources.list_files(tmp_path)] == ["a.json"]


EXAMPLES = ROOT / "docs/examples/forge"
ANSWERS = {
    "name": "La Chorale",
    "contact_email": "a@b.example",
    "registration_number": "W931234567",
    "website": "https://chorale.example",
    "about": "we sing",
}


class TestExamples:
    """What a forge makes of the forms of docs/examples is a request."""

    @pytest.mark.parametrize(("name", "language"), [("request.fr", "fr"), ("request.en", "en")])
    def test_an_issue_form(self, tmp_path: Path, name: str, language: str):
        form = yaml.safe_load((EXAMPLES / f"{name}.yml").read_text(encoding="utf-8"))
        body = ""
        for field in form["body"]:
            attributes = field["attributes"]
            value = ANSWERS.get(field["id"], "_No response_")
            if field["type"] == "dropdown":
                value = attributes["options"][0]
            elif field["type"] == "checkboxes":
                value = f"- [X] {attributes['options'][0]['label']}"
            body += f"### {attributes['label']}\n\n{value}\n\n"
        self.check(tmp_path, body, language)

    def test_a_description_template(self, tmp_path: Path):
        text = (EXAMPLES / "request.fr.md").read_text(encoding="utf-8")
        for key, label in {
            "name": "Nom de l’association",
            "contact_email": "Adresse électronique",
            "registration_number": "Numéro RNA ou SIREN",
            "website": "Site web",
            "about": "L’association en quelques lignes",
        }.items():
            text = text.replace(f"### {label}\n", f"### {label}\n\n{ANSWERS[key]}\n")
        assert _submission.check(self.read(tmp_path, text))[0] is None
        self.check(tmp_path, text.replace("- [ ]", "- [x]"), "fr")

    @pytest.mark.parametrize("language", ["fr", "en"])
    def test_a_mail(self, tmp_path: Path, language: str):
        """Filled in as people do: behind the colons, the last one over several lines."""
        text = (ROOT / f"docs/examples/mail/request.{language}.txt").read_text(encoding="utf-8")
        labels = [line for line in text.splitlines() if line]
        answers = {0: "La Chorale", 2: "W931234567", 3: "chorale.example", 5: "a@b.example"}
        for place, label in enumerate(labels):
            said = {**answers, 8: "oui" if language == "fr" else "Yes", 9: "we\nsing"}.get(
                place, ""
            )
            text = text.replace(label, f"{label} {said}")
        path = tmp_path / "a.eml"
        path.write_text(f"From: A <a@b.example>\nContent-Type: text/plain; charset=utf-8\n\n{text}")
        found, wrong = _submission.check(_sources.read(path))
        assert wrong == []
        assert found
        assert (found.name, found.email, found.language) == ("La Chorale", "a@b.example", language)
        assert (found.registration_number, found.about) == ("W931234567", "we\nsing")
        assert (found.website, found.address, found.office) == ("https://chorale.example", "", "")
        # Whoever does not agree is asked again.
        path.write_text(path.read_text().replace("oui\n", "\n").replace("Yes\n", "\n"))
        (fault,) = _submission.check(_sources.read(path))[1]
        assert fault.startswith("charter: missing")

    def read(self, folder: Path, text: str) -> dict[str, t.Any]:
        (folder / "a.md").write_text(text, encoding="utf-8")
        return _sources.read(folder / "a.md")

    def check(self, folder: Path, text: str, language: str) -> None:
        found, wrong = _submission.check(self.read(folder, text))
        assert wrong == []
        assert found
        assert (found.name, found.email, found.language) == (
            "La Chorale",
            "a@b.example",
            language,
        )
        assert (found.registration_number, found.about) == ("W931234567", "we sing")
        assert (found.website, found.address) == ("https://chorale.example", "")


class TestAddresses:
    @pytest.mark.parametrize(
        ("wanted", "name", "taken", "expected"),
        [
            ("velo", "x", [], "velo"),
            ("https://Vélo-École.spaces.example.org/x", "x", [], "velo-ecole"),
            ("", "L'Association des Amis du Vélo", [], "amis-du-velo"),
            ("", "Œuvre de Saint-Émile", [], "oeuvre-de-saint-emile"),
            ("velo", "Vélo-école", ["velo"], "velo-ecole"),
            ("velo", "Vélo", ["velo"], "velo-2"),
            ("www", "www", ["www"], "www-2"),
            ("", "Јardin partagé", [], "jardin-partage"),
            ("", "Comité des fêtes de Saint-Germain-en-Laye", [], "fetes-de-saint-germain-en"),
            ("../../etc", "/etc/passwd", [], "etc-passwd"),
            ("", "自行车学校", [], "asso-01234567"),
            ("123", "42", [], "asso-01234567"),
        ],
    )
    def test_are_free_and_near_the_wish(
        self, wanted: str, name: str, taken: list[str], expected: str
    ):
        assert _proposal.propose(wanted, name, GOOD["id"], frozenset(taken)) == expected

    def test_there_is_always_one(self):
        taken = {"velo", *(f"velo-{n}" for n in range(2, 100)), "asso-01234567"}
        slug = _proposal.propose("velo", "velo", GOOD["id"], frozenset(taken))
        assert slug not in taken
        assert _registry.SLUG.fullmatch(slug)
