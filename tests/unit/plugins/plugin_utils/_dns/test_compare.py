# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What resolvers say against what shall be: from a server on the loopback to a sentence."""

from __future__ import annotations

import typing as t

import dns.rcode
import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import (
    _compare,
    _names,
    _records,
    _resolve,
)
from tests.support.nameserver import serving
from tests.unit.plugins.plugin_utils.zones import BASE, names, space, zone

LIMITS = _resolve.Limits(seconds=2, parallel=10)
SPACES = names(space("velo", "velo.example", "cloud.velo.example"), space("amap"))
OURS = _records.render_zone(_records.list_platform(SPACES, zone()), zone())
THEIRS = f"""$ORIGIN velo.example.
$TTL 300
@ A 192.0.2.10
@ AAAA 2001:db8::10
cloud CNAME velo.{BASE}.
"""


def rows(
    *texts: str, listed: t.Sequence[_names.Name] = SPACES, **said: t.Any
) -> dict[str, _compare.Row]:
    with serving(*texts, **said) as server:
        answers = _resolve.ask(listed, [server], LIMITS)
    found = [_compare.compare(one, say, zone()) for one, say in zip(listed, answers, strict=True)]
    return {row["domain"]: row for row in found}


def test_with_the_records_that_are_written_all_is_well():
    found = rows(OURS, THEIRS)
    assert {row["state"] for row in found.values()} == {"ok"}
    assert {row["problem"] + row["association"] for row in found.values()} == {""}
    assert _compare.summarize(list(found.values())) == "4 names: 4 ok"
    assert found["cloud.velo.example"]["found"].popitem()[1] == ["192.0.2.10", "2001:db8::10"]


WRONG: list[tuple[str, str, str, str, str]] = [
    # What is set wrongly, of whom, the state, what operators and associations read.
    ("cloud CNAME", "; ", "cloud.velo.example", "missing", "cloud.velo.example ne mène nulle part. "
     "Demandez à la personne qui gère ce domaine d’ajouter\u00a0: cloud.velo.example CNAME velo."),
    ("@ A 192.0.2.10", "@ A 192.0.2.99", "velo.example", "elsewhere", "velo.example mène à "
     "192.0.2.99, 2001:db8::10, qui n’est pas votre espace"),
    ("@ AAAA 2001:db8::10", "@ AAAA 2001:db8::99", "velo.example", "elsewhere", "2001:db8::99"),
    (f"cloud CNAME velo.{BASE}.", "cloud CNAME gone.example.", "cloud.velo.example", "missing", ""),
    ("$TTL 300", '$TTL 300\n@ CAA 0 issue "other.example"', "cloud.velo.example", "forbidden",
     "Les enregistrements CAA de velo.example interdisent le certificat de cloud.velo.example. "
     "Demandez à la personne qui gère ce domaine d’y ajouter\u00a0: velo.example CAA 0 issue "
     '"letsencrypt.org"'),
    ("$TTL 300", '$TTL 300\n@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01"',
     "velo.example", "forbidden", "interdisent"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "domain", "state", "said"), WRONG)
def test_what_an_association_has_to_do(before: str, after: str, domain: str, state: str, said: str):
    row = rows(OURS, THEIRS.replace(before, after))[domain]
    assert row["state"] == state
    assert said in row["association"]
    assert row["problem"].startswith(f"{domain}: ")
    assert row["problem"].endswith("; tell velo what is under association")


@pytest.mark.parametrize(
    ("before", "after", "state", "said"),
    [
        ("*  ", "; ", "missing", "leads nowhere; it must lead to 192.0.2.10, 2001:db8::10, says"),
        ("IN AAAA  2001:db8::10", "IN TXT x", "incomplete", "leads to 192.0.2.10 only"),
        ("192.0.2.10", "192.0.2.11", "elsewhere", "leads to 192.0.2.11, 2001:db8::10; it must"),
        ('0 issuewild "letsencrypt.org"', '0 issuewild ";"', "forbidden",
         f"CAA of {BASE} allows none of letsencrypt.org"),
    ],
)  # fmt: skip
def test_what_an_operator_has_to_do(before: str, after: str, state: str, said: str):
    assert before in OURS
    row = rows(OURS.replace(before, after), THEIRS)[f"amap.{BASE}"]
    assert row["state"] == state
    assert said in row["problem"]
    assert row["problem"].endswith(
        f"set what is in dns-records/zone.txt of the build, in the zone of {BASE}"
    )
    assert row["association"] == ""


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"rcode": dns.rcode.SERVFAIL}, "SERVFAIL or refused"),
        ({"rcode": dns.rcode.REFUSED}, "SERVFAIL or refused"),
        ({"silent": True}, "no answer in time"),
    ],
)
def test_a_resolver_that_says_nothing(how: dict[str, t.Any], why: str):
    found = rows(OURS, THEIRS, listed=SPACES[:2], **how)
    for row in found.values():
        assert row["state"] == "broken"
        assert f"no answer ({why}), says 127.0.0.1#" in row["problem"]
    assert "ne répondent pas" in found["cloud.velo.example"]["association"]


def test_resolvers_that_do_not_agree_have_not_all_heard_yet():
    with serving(OURS, THEIRS) as new, serving(OURS) as old:
        answers = _resolve.ask(SPACES, [new, old], LIMITS)
    found = {
        one.name: _compare.compare(one, say, zone())
        for one, say in zip(SPACES, answers, strict=True)
    }
    row = found["velo.example"]
    assert (row["state"], row["association"]) == ("spreading", "")
    assert row["problem"].endswith(
        f"says {old}; other resolvers have it right: wait 3600 s, or longer where it was longer"
    )
    assert found[f"amap.{BASE}"]["state"] == "ok"


def test_an_own_domain_may_have_ipv4_alone():
    assert rows(OURS, THEIRS.replace("@ AAAA", "; "))["velo.example"]["state"] == "ok"


def test_without_authorities_caa_is_not_looked_at():
    forbidding = (
        f'$ORIGIN {BASE}.\n$TTL 60\n@ CAA 0 issue ";"\n* A 192.0.2.10\n* AAAA 2001:db8::10\n'
    )
    with serving(forbidding) as server:
        answers = _resolve.ask(SPACES[:1], [server], LIMITS)
    assert _compare.judge(SPACES[0], answers[0][0], zone()) == "forbidden"
    assert _compare.judge(SPACES[0], answers[0][0], zone(authorities=[])) == "ok"


def test_many_names_pass_through_few_questions_at_a_time():
    many = names(*(space(f"s{number}") for number in range(300)))
    with serving(OURS) as server:
        answers = _resolve.ask(many, [server], _resolve.Limits(seconds=20, parallel=5))
    assert {one.addresses for (one,) in answers} == {("192.0.2.10", "2001:db8::10")}


@pytest.mark.parametrize(
    "resolver", ["dns.example", "192.0.2.53:53", "192.0.2.53#", "192.0.2.53#x", ""]
)
def test_a_resolver_is_an_address(resolver: str):
    with pytest.raises(_resolve.ResolverError, match=r"archipel_dns_resolvers: found .*; allowed"):
        _resolve.split(resolver)


def test_a_resolver_may_have_a_port():
    assert _resolve.split("2001:db8::53#5353") == ("2001:db8::53", 5353)
    assert _resolve.split("192.0.2.53") == ("192.0.2.53", 53)
