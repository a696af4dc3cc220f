# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Strangers who mean harm, through nginx: what they send is text, or refused.

Each has an address of its own, so that every form reaches the receiver; the limits are tried last.
"""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from testinfra.host import Host

from tests.support.form import UNIT, Form, address, body
from tests.support.scenario import Scenario

MARKER = "/tmp/archipel-was-here"
GOOD = {
    "name": "Fanfare",
    "contact_email": "a@fanfare.example",
    "language": "fr",
    "charter": "yes",
    "homepage": "",
}
TEMPLATES = [
    f"{{{{ lookup('pipe', 'touch {MARKER}') }}}}",
    "{% for x in range(99999999) %}{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ archipel_master_key }}",
    "{# comment #}",
    "#{7*7} ${7*7} <%= 7*7 %>",
    f"$(touch {MARKER}) `touch {MARKER}`",
    f"!!python/object/apply:os.system ['touch {MARKER}']",
    "&a [*a, *a]",
    "${jndi:ldap://x.example/a}",
    "'; DROP DATABASE space_velo_ecole; --",
    '" OR 1=1 #',
    "<script>alert(document.domain)</script>",
    '<img src=x onerror="alert(1)">',
    "=cmd|' /C calc'!A0",
    "::set-output name=x::y",
    "%n%s%x%p",
]
HEADERS = [
    "Zoé\r\nBcc: everybody@world.example",
    "Zoé\nSubject: Win",
    "Zoé\r\n\r\n<p>body",
    "=?utf-8?B?DQpCY2M6IGFAYi5leGFtcGxl?=",
    "Zoé\u2028Bcc: a@b.example",
    "Zoé\x85Bcc: a@b.example",
    "Zoé\x0bBcc: a@b.example",
    '"Zoé" <x@y.example>, z@y.example',
]
LETTERS = [
    "😀𝓥é𝔩𝔬 🚲🏳️‍🌈",
    "\u202egpj.exe",
    "Ve\u0301lo\u0300" + "\u0301" * 100,
    "\ufeffBOM\u200b\u200b",
    "\x1b[31mred\x07\x1b]0;title\x07",
    "ﷺ" * 40,
    "Ꭺрріе",
    "\U000e0041\U000e0042",
]
PATHS = [
    "../../../../etc/cron.d/x",
    "/etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "....//....//etc",
    "C:\\Windows\\win.ini",
    "velo-ecole/../../x",
    "velo-ecole.yml",
    ".git",
]


def forms() -> list[dict[str, str]]:
    """Return forms that a browser could send; each has harm in one field or two."""
    found = [{"name": text, "about": text} for text in TEMPLATES + LETTERS]
    found += [{"contact_name": text} for text in HEADERS + TEMPLATES[:3]]
    found += [{"address": text, "name": text} for text in PATHS]
    found += [{"contact_email": f"a{number}@x.example\r\nBcc: b@y.example"} for number in range(2)]
    found += [{"website": "javascript:alert(1)"}, {"registration_number": f"W1;touch {MARKER}"}]
    found += [{"office": "../../bin/sh"}, {"language": "{{ 7 * 7 }}"}, {"charter": "{{ true }}"}]
    return [
        {**GOOD, "contact_email": f"h{number}@fanfare.example", **changes}
        for number, changes in enumerate(found)
    ]


class Odd(t.NamedTuple):
    """A request that no browser sends."""

    what: str
    post: dict[str, t.Any]
    # What may be answered; 0: the connection is closed.
    allowed: set[int]


ODD = [
    Odd("10 MB", {"body": "name=x", "times": 1_700_000}, {0, 413}),
    Odd("64 KiB and a bit", {"body": "name=" + "x" * 65_540}, {0, 413}),
    Odd("a thousand fields", {"body": "&".join(f"f{n}=1" for n in range(1000))}, {400}),
    Odd("the same field twice", {"body": body(GOOD) + "&name=y"}, {400}),
    Odd("a field there is not", {"body": body(GOOD) + "&status=approved"}, {400}),
    Odd("a path as a field", {"body": "..%2F..%2Fx=1"}, {400}),
    Odd("no form", {"body": '{"name": "x"}'}, {400}),
    Odd("no UTF-8", {"body": "name=%ff%fe&charter=yes"}, {400}),
    Odd("zero bytes", {"body": "name=%00&contact_email=a%40b.example&charter=yes"}, {200, 422}),
    Odd("bytes beyond ASCII", {"body": "name=\xff\xfe"}, {400}),
    Odd("nothing", {"body": ""}, {400, 422}),
    Odd("another path", {"body": body(GOOD), "path": "/request/../x"}, {400, 404}),
    Odd("a file of the machine", {"body": "", "path": "/..%2f..%2fetc/passwd"}, {400, 404}),
    Odd("another verb", {"body": "", "method": "DELETE"}, {405, 501}),
    Odd("compressed", {"body": "x", "headers": {"Content-Encoding": "gzip"}}, {400}),
    Odd("a length that is none", {"body": "", "headers": {"Content-Length": "-1"}}, {0, 400}),
    Odd(
        "a smuggled request",
        {
            "body": "0\r\n\r\nGET /task HTTP/1.1\r\nHost: x\r\n\r\n",
            "headers": {"Transfer-Encoding": "chunked"},
        },
        {400, 422},
    ),
    Odd("a host of a space", {"body": body(GOOD), "headers": {"X-Forwarded-Host": "x"}}, {200}),
]


@pytest.fixture(scope="module", autouse=True)
def clean(scenario: Scenario, form: Form) -> t.Iterator[None]:
    """Nothing waits before, and nothing is left of it afterwards."""
    files = {path: path.read_bytes() for path in scenario.registry_folder.rglob("*.yml")}
    form.clear()
    yield
    form.clear()
    for path in scenario.registry_folder.rglob("*.yml"):
        if path not in files:
            path.unlink()
    for path, content in files.items():
        path.write_bytes(content)


def problems_of_nginx(node: Host) -> str:
    return node.check_output("grep -E '\\[(crit|alert|emerg)\\]' /var/log/nginx/error.log || true")


class TestForms:
    def test_1_each_is_kept_or_refused_in_words(self, form: Form):
        sent = forms()
        assert len(sent) + len(ODD) >= 40
        posts = [{"body": body(one), "from": address(n)} for n, one in enumerate(sent)]
        # Slower than all of them together may be.
        answers = form.send(*posts, pause=0.2)
        assert {answer.status for answer in answers} <= {200, 422}
        assert sum(answer.thanked for answer in answers) == len(form.kept())
        told = [answer.page for answer in answers if answer.status == 422]
        assert all("La demande n’a pas été envoyée" in page for page in told)
        # More than half are names of associations, whatever they look like.
        assert len(form.kept()) > len(sent) // 2

    def test_2_what_was_kept_is_what_was_sent(self, form: Form):
        sent = {one["contact_email"]: one for one in forms()}
        for request in form.kept().values():
            one = sent[request["contact_email"]]
            assert request["name"].split() == one["name"].split()
            assert set(request) <= {*one, "format", "kind", "id", "received", "via"}

    def test_3_all_of_it_can_be_taken_in(self, scenario: Scenario, form: Form, node: Host):
        """Nobody was thanked for what moderators would never see."""
        waiting = len(form.kept())
        done = scenario.attempt("intake.yml")
        assert done["Ensure submissions are in the registry"]["refused"] == {}
        assert form.kept() == {}
        assert list(form.inbox.iterdir()) == []
        new = list(scenario.registry_folder.glob("spaces/*.yml"))
        assert len(new) == waiting + 1
        assert not node.file(MARKER).exists
        assert not Path(MARKER).exists()

    def test_4_it_is_text_in_the_registry(self, scenario: Scenario):
        sent = {one["contact_email"]: one for one in forms()}
        names = scenario.registry_folder.glob("spaces/*.yml")
        for path in [one for one in names if one.stem != "velo-ecole"]:
            file = yaml.safe_load(path.read_text(encoding="utf-8"))
            assert set(file) <= {"name", "status", "contact", "request", "locale"}
            assert file["status"] == "requested"
            assert sent[file["contact"]["email"]]
            assert file["name"].isprintable() or "\u200d" in file["name"]
            assert path.stem.replace("-", "").isalnum()

    def test_5_no_playbook_takes_it_for_more(self, scenario: Scenario, node: Host):
        """Checked, listed, converged: nothing is evaluated, and no space is made."""
        scenario.converge("check.yml")
        waits = json.dumps(scenario.attempt("moderate.yml"))
        assert "waits for a decision" in waits
        assert scenario.converge("spaces.yml") == []
        assert not node.file(MARKER).exists
        assert not Path(MARKER).exists()


@pytest.mark.parametrize("odd", ODD, ids=[one.what for one in ODD])
def test_what_no_browser_sends_is_refused(form: Form, odd: Odd):
    number = 500 + ODD.index(odd)
    (answer,) = form.send({"from": address(number), **odd.post})
    assert answer.status in odd.allowed, answer
    assert answer.seconds < 20
    time.sleep(0.2)


def test_afterwards_it_still_receives(form: Form, node: Host):
    form.clear()
    (answer,) = form.send({"body": body(GOOD), "from": address(600)})
    assert answer.thanked
    assert len(form.kept()) == 1
    assert node.check_output("systemctl is-failed %s || true", UNIT).strip() != "failed"
    assert problems_of_nginx(node) == ""


def test_what_was_typed_is_in_no_log(form: Form, node: Host):
    secret = "secretword"
    about = quote(f"{secret} {{{{ x }}}}")
    form.send(
        {"body": body({**GOOD, "contact_email": f"{secret}@x.example"}), "from": address(601)}
    )
    form.send({"body": f"about={about}", "from": address(602)})
    found = f"grep -rl {secret} /var/log/nginx; journalctl --no-pager | grep -c {secret}; true"
    assert node.check_output(found).split() == ["0"]


class TestTooMany:
    """The limits as they are by default."""

    @pytest.fixture(scope="class", autouse=True)
    def limits(self, scenario: Scenario) -> t.Iterator[None]:
        scenario.converge("platform.yml", "--tags=intake", "-e", "intake_rate_per_minute=6")
        yield
        scenario.converge("platform.yml", "--tags=intake")

    def test_1_a_thousand_a_minute_of_one_address(self, form: Form):
        form.clear()
        time.sleep(5)
        posts = [{"body": body(GOOD, task=False), "from": address(700)}] * 1000
        since = time.monotonic()
        answers = form.send(*posts, workers=20)
        assert time.monotonic() - since < 60
        assert {answer.status for answer in answers} == {200, 429}
        assert sum(answer.status == 200 for answer in answers) < 20
        # None of them has waited or worked: they were asked to confirm.
        assert form.kept() == {}

    def test_2_meanwhile_somebody_else_is_received(self, form: Form):
        flood = [{"body": body(GOOD, task=False), "from": address(701)}] * 500
        somebody = {"body": body(GOOD), "from": address(702)}
        answers = form.send(*flood[:250], somebody, *flood[250:], workers=10)
        assert answers[250].thanked, answers[250]
        assert len(form.kept()) == 1

    def test_3_a_thousand_of_a_thousand_addresses(self, form: Form, node: Host):
        """All together are bounded; what was acknowledged is there, and nothing breaks."""
        form.clear()
        time.sleep(5)
        posts = [
            {"body": body({**GOOD, "name": f"n{n}"}, task=False), "from": address(1000 + n)}
            for n in range(1000)
        ]
        answers = form.send(*posts, workers=20)
        assert {answer.status for answer in answers} == {200, 429}
        assert form.kept() == {}
        time.sleep(5)
        (answer,) = form.send({"body": body(GOOD), "from": address(3000)})
        assert answer.thanked
        assert problems_of_nginx(node) == ""
