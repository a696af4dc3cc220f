# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with files, in the words people read."""

from __future__ import annotations

import datetime
import json
import typing as t

import jsonschema_rs
import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _rules
from tests.unit.environment import ROOT, SPACE, Environment

TOMORROW = datetime.datetime.now(tz=datetime.UTC).date() + datetime.timedelta(days=1)
LATER = TOMORROW + datetime.timedelta(days=2)
REFUSED = {**SPACE["decision"], "reason": "no association"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "requested", "decision": None},
        {"status": "refused", "decision": REFUSED},
        {"status": "suspended", "decision": REFUSED},
        {"name": "« L'Œuvre » 🚲 {{ name }} '; DROP DATABASE"},
        {"name": "می\u200cخواهم 👩\u200d👧 \u200fx"},
        {"contact": {"email": "o.d'ambre+bureau@mail.velo.example"}},
        {"office": "onlyoffice", "office_pinned": True, "ring": "canary", "hold": True},
        {"limits": {"accounts": 200, "storage_gb": 200}},
        {"limits": {"storage_gb": 5000, "approved_by": "the board"}},
        {"limits": {"accounts": 1}},
        {"domains": ["cloud.velo-ecole.example", "xn--vlo-bma.example"]},
        {"domains": ["xn--strae-oqa.example", "xn--fiqs8s.example", "xn--80ak6aa92e.xn--p1ai"]},
        {"domains": []},
        {"locale": "pt_BR", "timezone": "Indian/Reunion"},
        {"locale": "es_419", "timezone": "UTC"},
        {"theme": {"color": "#00679E", "slogan": "Ensemble"}},
        {"decision": {"by": "moderation", "on": TOMORROW.isoformat()}},
        {"decision": {"by": "moderation", "on": "2024-05-30", "reason": "two\nlines\n"}},
        {"contact": {"name": "Zoé d'Ambre", "email": "zoe.ambre+bureau@mail.velo.example"}},
    ],
)
def test_fine(environment: Environment, changes: dict[str, t.Any]):
    environment.space("velo-ecole", **changes)
    assert environment.problems() == []


@pytest.mark.parametrize("text", ["just a text", "- a list\n", "7", "[]", "null"])
def test_a_file_that_is_no_mapping(environment: Environment, text: str):
    environment.write("spaces/velo-ecole.yml", text)
    (said,) = environment.problems()
    assert said.startswith("spaces/velo-ecole.yml:1: found ")
    assert "; allowed: " in said


def test_a_text_of_thousands_of_digits_is_no_number(environment: Environment):
    """Python itself refuses to read one."""
    environment.space("velo-ecole", limits={"accounts": "9" * 5_000})
    (said,) = environment.problems()
    assert 'limits.accounts: found "999' in said
    assert "without quotes" not in said
    environment.space("velo-ecole", limits={"accounts": "0" * 17 + "7"})
    assert "Write 7, without zeros" in environment.problems()[0]


def test_of_many_problems_the_first_are_listed_and_the_others_counted(environment: Environment):
    """Thousands would hide what is wrong with other files."""
    wrong = {f"key{number:02}": number for number in range(30)}
    environment.space("velo-ecole", **wrong)
    found = environment.problems()
    listed = [said for said in found if "unknown key" in said]
    assert len(listed) == _rules.MOST_LISTED
    assert [said.split(": ")[1] for said in listed] == sorted(wrong)[: _rules.MOST_LISTED]
    line = 11 + _rules.MOST_LISTED
    assert set(found) - set(listed) == {
        f"spaces/velo-ecole.yml:{line}: 10 more problems of this file are not listed; mend these "
        "first"
    }


def test_a_long_key_is_shortened(environment: Environment):
    environment.write("spaces/velo-ecole.yml", f"? {'k' * 20_000}\n: 1\n")
    assert max(map(len, environment.problems())) < 500


FILE = "spaces/velo-ecole.yml"
WRONG: list[tuple[dict[str, t.Any], str]] = [
    # Keys that are missing or unknown.
    ({"name": None}, ":1: name: missing; allowed: a text of 1 to 200 characters on one line, "
                     "without invisible ones. Add for instance `name: Vélo-école de Montreuil`"),
    ({"status": None}, ":1: status: missing; allowed: requested, approved"),
    ({"contact": {}}, ":4: contact.email: missing; allowed: one plain e-mail address"),
    ({"decision": None}, ":1: decision: missing (the status is approved); allowed: a mapping"),
    ({"decision": {"by": "me"}}, ":7: decision.on: missing; allowed: an existing date"),
    ({"status": "refused"}, ":7: decision.reason: missing (the status is refused)"),
    ({"status": "suspended"}, ":7: decision.reason: missing (the status is suspended)"),
    ({"status": "closed"}, ":1: closed_on: missing (the status is closed)"),
    ({"ofice": "collabora"}, ":11: ofice: unknown key; allowed: name, status"),
    ({"ofice": "collabora"}, 'Did you mean "office"?'),
    ({"limits": {"acounts": 5}}, ":12: limits.acounts: unknown key; allowed: accounts, storage_gb, "
                                 'approved_by. Did you mean "accounts"?'),
    # Values of the wrong kind.
    ({"name": 2024}, ':2: name: found "2024"; allowed: a text of 1 to 200 characters on one line, '
                     'without invisible ones. Put it in quotes to make it a text: "2024".'),
    ({"name": ""}, ':2: name: found ""; allowed'),
    ({"name": "  "}, ':2: name: found "  "; allowed'),
    ({"name": "two\nlines"}, ':2: name: found "two\\nlines"; allowed'),
    ({"name": "x" * 201}, ':2: name: found "xxx'),
    ({"name": "bell\x07"}, ':2: name: found "bell\\x07"'),
    ({"name": "\u200b\u200d"}, ':2: name: found "\\u200b\\u200d"; allowed: a text of 1 to 200 '
                               "characters on one line, without invisible ones."),
    *[({"name": text}, ":2: name: found") for text in ("\u3164", "\u2800", "\u200d", "\u200e",
                                                       "\u00a0", "Asso\u200b", "\u0301")],
    *[({"name": f"Asso {sign}gnp.exe"}, ":2: name: found") for sign in "\u202e\u2066\u202a\u2067"],
    ({"contact": {"name": "\u202e", "email": "a@b.example"}}, ":5: contact.name: found"),
    ({"decision": {"by": "\u200b", "on": "2024-05-30"}}, ":8: decision.by: found"),
    ({"decision": {"by": "m", "on": "2024-05-30", "reason": "\u2066"}}, "decision.reason: found"),
    ({"theme": {"slogan": "\u202eplus"}}, "theme.slogan: found"),
    ({"limits": {"approved_by": "\u3164"}}, "limits.approved_by: found"),
    ({"contact": {"email": "a..b@c.example"}}, 'contact.email: found "a..b@c.example"; '
                                               "allowed: one plain e-mail address without"),
    ({"contact": {"email": "a.@c.example"}}, "contact.email: found"),
    ({"contact": {"email": ".a@c.example"}}, "contact.email: found"),
    ({"contact": {"email": "a" * 65 + "@c.example"}}, "contact.email: found"),
    ({"status": "aproved"}, ':3: status: found "aproved"; allowed: requested, approved, refused, '
                            'suspended or closed. Did you mean "approved"?'),
    ({"contact": "me@velo.example"}, ':4: contact: found "me@velo.example"; allowed: a mapping'),
    ({"contact": {"email": "a b@velo.example"}}, ':5: contact.email: found "a b@velo.example"'),
    ({"contact": {"email": "-x@velo.example"}}, ':5: contact.email: found "-x@velo.example"'),
    ({"contact": {"email": "x@localhost"}}, ':5: contact.email: found "x@localhost"'),
    ({"contact": {"email": "x@velo.example\nBcc: y@z.example"}}, ":5: contact.email: found"),
    ({"ring": "canry"}, ':11: ring: found "canry"; allowed: canary, early or stable. Did you mean'),
    ({"office": "Collabora"}, ':11: office: found "Collabora"; allowed: the name of an office '
                              'suite, such as collabora or onlyoffice. Did you mean "collabora"?'),
    ({"hold": "yes"}, ':11: hold: found "yes"; allowed: true (leave this space alone'),
    ({"limits": {"accounts": 0}}, ':12: limits.accounts: found "0"; allowed: a whole number'),
    ({"limits": {"accounts": True}}, ':12: limits.accounts: found "True"; allowed: a whole'),
    ({"limits": {"accounts": "50"}}, ':12: limits.accounts: found "50"; allowed: a whole number'),
    ({"limits": {"storage_gb": 0}}, ':12: limits.storage_gb: found "0"; allowed: a whole number'),
    ({"limits": {"storage_gb": -5}}, ':12: limits.storage_gb: found "-5"; allowed: a whole number'),
    ({"limits": {"accounts": -1}}, ':12: limits.accounts: found "-1"; allowed: a whole number'),
    ({"limits": {"storage_gb": 1.5}}, ':12: limits.storage_gb: found "1.5"; allowed: a whole'),
    ({"limits": {"accounts": 10**15}}, ":12: limits.accounts: found"),
    ({"domains": "velo.example"}, ':11: domains: found "velo.example"; allowed: a list'),
    ({"domains": ["Velo.example"]}, ':12: domains.0: found "Velo.example"; allowed: a host name'),
    ({"domains": ["vélo.example"]}, ':12: domains.0: found "vélo.example"; allowed: a host name'),
    ({"domains": ["https://velo.example"]}, ":12: domains.0: found"),
    ({"domains": ["*.velo.example"]}, ":12: domains.0: found"),
    ({"domains": ["192.0.2.1"]}, ":12: domains.0: found"),
    ({"domains": ["velo.example."]}, ":12: domains.0: found"),
    ({"domains": ["velo"]}, ":12: domains.0: found"),
    *[({"domains": [f"{label}.example"]}, ":12: domains.0: found") for label in
      ("xn--", "xn--a", "xn--velo-", "xn--zz-zz9999999999", "xn--i28h", "xn--VLO-bma")],
    ({"domains": ["cloud.xn--velo-.example"]}, ":12: domains.0: found"),
    ({"domains": ["xn--velo-abc0123456.example"]}, "is the xn-- form of no name; allowed: what"),
    ({"domains": ["a.example", "a.example"]}, ":11: domains: found the same item twice; allowed"),
    ({"locale": "French"}, ':11: locale: found "French"; allowed: a language of Nextcloud (ar, '),
    ({"locale": "xx"}, ':11: locale: found "xx"; allowed: a language of Nextcloud (ar, ast, '),
    ({"locale": "klingon"}, "zh_TW), or one with its country, such as fr_CA."),
    ({"locale": "fr-ca"}, 'Did you mean "fr_CA"?'),
    ({"locale": "pt"}, 'Did you mean "pt_BR" or "pt_PT"?'),
    ({"locale": "sr@latin"}, 'Did you mean "sr"?'),
    ({"locale": "ca@valencia"}, 'Did you mean "ca"?'),
    ({"locale": "de_CH.UTF-8"}, 'Did you mean "de_CH"?'),
    ({"locale": "fr/;{}"}, ':11: locale: found "fr/;{}"; allowed: a language of Nextcloud'),
    ({"theme": {"color": "00679e"}}, ':12: theme.color: found "00679e"; allowed: a colour written '
                                     '"#rrggbb", in quotes'),
    ({"decision": {"by": "m", "on": "2024-02-30"}}, ':9: decision.on: found "2024-02-30"; '
                                                    "allowed: an existing date"),
    ({"decision": {"by": "m", "on": "30/05/2024"}}, ':9: decision.on: found "30/05/2024"'),
    ({"decision": {"by": "m", "on": "0000-01-01"}}, ':9: decision.on: found "0000-01-01"; allowed: '
                                                    "an existing date from 2000 on"),
    ({"status": "closed", "closed_on": "0000-01-02"}, 'closed_on: found "0000-01-02"; allowed'),
    ({"closed_on": "2024-06-01"}, ":11: closed_on: not allowed with status approved; remove it"),
    # Rules that no schema can say.
    ({"office": "libreoffice"}, ':11: office: found "libreoffice"; allowed, from archipel_offices '
                                "in the policy: collabora, onlyoffice."),
    ({"office": "onlyofice"}, 'Did you mean "onlyoffice"?'),
    ({"timezone": "Europe/Montreuil"}, ':11: timezone: found "Europe/Montreuil"; allowed: UTC or a '
                                       "place of the tz database such as Europe/Paris."),
    ({"timezone": "europe/paris"}, 'Did you mean "Europe/Paris"?'),
    *[({"timezone": name}, f':11: timezone: found "{name}"; allowed: UTC or a place')
      for name in ("localtime", "posixrules", "Factory", "right/Europe/Paris", "posix/Europe/Paris",
                   "Mars/Olympus", "EST5EDT", "US/Pacific", "GMT+3")],
    ({"limits": {"accounts": 201}}, ":12: limits.accounts: found 201; allowed: at most 200; lower "
                                    "it, or name in limits.approved_by who allowed more"),
    ({"limits": {"storage_gb": 201}}, ":12: limits.storage_gb: found 201; allowed: at most 200"),
    ({"domains": ["www.spaces.example.org"]}, ':12: domains.0: found "www.spaces.example.org"; '
                                              "allowed: names outside spaces.example.org"),
    ({"domains": ["spaces.example.org"]}, ":12: domains.0: found"),
    ({"decision": {"by": "m", "on": LATER.isoformat()}}, f":9: decision.on: found {LATER}, which "
                                                         "is in the future"),
    ({"status": "closed", "closed_on": LATER.isoformat()}, f"closed_on: found {LATER}, which is"),
    ({"status": "closed", "closed_on": "2024-05-29"}, "closed_on: found 2024-05-29; allowed: not "
                                                      "before decision.on, 2024-05-30"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), WRONG)
def test_wrong(environment: Environment, changes: dict[str, t.Any], expected: str):
    environment.space("velo-ecole", **changes)
    problems = environment.problems()
    place = f"{FILE}{expected}" if expected.startswith(":") else expected
    assert any(place in problem for problem in problems), problems
    assert all(problem.startswith(FILE) for problem in problems)


def test_all_problems_of_all_files_come_in_one_run(environment: Environment):
    environment.space("velo-ecole", name=None, ofice="x", ring="slow", limits={"accounts": 0})
    environment.space("amap", domains=["amap.spaces.example.org"])
    environment.write("spaces/cine.yml", "name: [\n")
    environment.write("spaces/Zoo.yml", "")
    problems = environment.problems()
    assert [problem.split(": ")[0] for problem in problems] == [
        "spaces/Zoo.yml",
        "spaces/amap.yml:12",
        "spaces/cine.yml:1",
        "spaces/velo-ecole.yml:1",
        "spaces/velo-ecole.yml:10",
        "spaces/velo-ecole.yml:11",
        "spaces/velo-ecole.yml:13",
    ]


def test_a_hash_that_began_a_comment_is_explained(environment: Environment):
    text = json.dumps(SPACE)[:-1] + ", theme: {color:\n  #00679e\n}}"
    environment.write(FILE, text)
    (problem,) = environment.problems()
    assert 'theme.color: found nothing; allowed: a colour written "#rrggbb", in quotes' in problem


class TestNames:
    def test_reserved(self, environment: Environment):
        environment.space("www")
        assert environment.problems() == [
            'spaces/www.yml:1: the slug "www" is reserved; rename the file; '
            "archipel_reserved_slugs in the policy lists the reserved ones"
        ]

    def test_of_the_form(self, environment: Environment):
        """An association may be called so as long as no form is."""
        environment.space("demande")
        assert environment.problems() == []
        host = "demande.spaces.example.org"
        environment.policy(archipel_intake={"host": host, "charter_url": "https://x.example"})
        assert environment.problems() == [
            'spaces/demande.yml:1: the slug "demande" is the host of the form (archipel_intake); '
            "rename the file, or move the form"
        ]
        environment.placement("demande: {id: 70000, web: node1, db: node1}")
        (problem,) = environment.problems()
        assert problem.endswith("; the form needs another host: this space exists")

    @pytest.mark.parametrize(
        ("slug", "what"),
        [
            ("node1", "a node"),
            ("web", "a group"),
            ("talk", "a group"),
            ("all", "a group"),
            ("spaces", "a group"),
            ("localhost", "the controller"),
        ],
    )
    def test_taken_by_the_inventory(self, environment: Environment, slug: str, what: str):
        environment.space(slug)
        (problem,) = environment.problems()
        assert f'the slug "{slug}" is the name of {what} of this inventory already' in problem


class TestDomains:
    @staticmethod
    def claim(environment: Environment, *slugs: str, status: str = "approved"):
        for slug in slugs:
            decision = None if status == "requested" else REFUSED
            environment.space(slug, domains=["a.example"], status=status, decision=decision)

    def test_two_new_files_are_both_named(self, environment: Environment):
        self.claim(environment, "amap", "cine")
        first, second = environment.problems()
        assert first.startswith('spaces/amap.yml:13: domains.0: the domain "a.example" is also')
        assert "is also that of spaces/cine.yml; keep it in one file" in first
        assert second.startswith("spaces/cine.yml:13: domains.0: ")

    def test_a_placed_space_keeps_its_name(self, environment: Environment):
        environment.placement("cine: {id: 70000, web: node1, db: node1}")
        self.claim(environment, "amap", "cine")
        (problem,) = environment.problems()
        assert problem.startswith("spaces/amap.yml:13: domains.0: ")

    def test_a_request_may_not_claim_what_is_taken(self, environment: Environment):
        self.claim(environment, "amap", status="requested")
        self.claim(environment, "cine", status="suspended")
        assert len(environment.problems()) == 2

    def test_a_refused_request_claims_nothing(self, environment: Environment):
        self.claim(environment, "amap", status="refused")
        self.claim(environment, "cine")
        assert environment.problems() == []


class TestPlaced:
    @pytest.mark.parametrize("status", ["requested", "refused"])
    def test_a_space_that_exists_cannot_go_back(self, environment: Environment, status: str):
        environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
        environment.space("velo-ecole", status=status, decision=REFUSED)
        assert environment.problems() == [
            f'spaces/velo-ecole.yml:3: status: found "{status}", but the space exists on node1 '
            "(placement.yml:5); allowed: approved, suspended or closed"
        ]

    def test_a_space_that_exists_can_be_closed(self, environment: Environment):
        environment.placement("velo-ecole: {id: 70000, web: node1, db: node1}")
        environment.space("velo-ecole", status="closed", closed_on="2024-05-30")
        assert environment.problems() == []

    def test_what_never_was_cannot_be_closed(self, environment: Environment):
        environment.space("velo-ecole", status="closed", closed_on="2024-05-30")
        assert environment.problems() == [
            'spaces/velo-ecole.yml:3: status: found "closed", but placement.yml knows no such '
            "space: nothing to close; allowed: requested, refused or approved; if that file was "
            "lost, take it from git"
        ]

    @pytest.mark.parametrize("status", ["approved", "suspended"])
    def test_a_node_that_is_gone(self, environment: Environment, status: str):
        environment.placement("velo-ecole: {id: 70000, web: old, db: node1}")
        environment.space("velo-ecole", status=status, decision=REFUSED)
        (problem,) = environment.problems()
        assert problem.startswith(
            'placement.yml:5: velo-ecole: the web node "old" is gone: group web of the inventory '
            "has node1; bring the node back into nodes.yml"
        )

    def test_a_space_without_a_file_does_not_need_its_node(self, environment: Environment):
        environment.placement("amap: {id: 70000, web: old, db: old}")
        assert environment.problems() == []

    def test_the_lock_of_another_environment(self, environment: Environment):
        environment.placement(environment="production")
        (problem,) = environment.problems()
        assert problem.startswith(
            'placement.yml: environment: found "production", but archipel_environment is "lab"; '
            "two environments are mixed"
        )


class TestSchema:
    SCHEMA = json.loads(_rules.SCHEMA.text)

    def nodes(self, node: t.Any = None) -> t.Iterator[dict[str, t.Any]]:
        node = self.SCHEMA if node is None else node
        for child in node.get("properties", {}).values():
            if isinstance(child, dict):
                yield child
                yield from self.nodes(child)

    def test_is_valid_and_published(self):
        jsonschema_rs.meta.validate(self.SCHEMA)
        published = ROOT / "schema" / "space.schema.json"
        assert (
            published.resolve()
            == (ROOT / "plugins/plugin_utils/_inventory/space.schema.json").resolve()
        )

    def test_describes_every_key_for_messages_and_editors(self):
        assert [node for node in self.nodes() if not node.get("description")] == []

    def test_has_an_example_of_every_key_that_can_be_missing(self):
        required = {"name", "status", "contact", "decision", "closed_on"}
        for key in required:
            assert self.SCHEMA["properties"][key]["examples"]

    def test_its_examples_are_allowed(self):
        for node in self.nodes():
            validator = jsonschema_rs.validator_for(node, validate_formats=True)
            for example in node.get("examples", ()):
                validator.validate(example)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("50.0", '"50.0"; allowed: a whole number of accounts from 1 to 100000.'),
        ("010", '"010"; allowed: a whole number of accounts from 1 to 100000. Write 10, without'),
        ('"50"', "Write 50, without zeros before it and without quotes."),
        ("0x32", '"0x32"; allowed'),
        ("5e1", '"5e1"; allowed'),
        ("1_0", '"1_0"; allowed'),
        ("1:30", '"1:30"; allowed'),
        ("+010", '"+010"; allowed'),
    ],
)
def test_a_limit_is_a_whole_number_as_people_write_it(
    environment: Environment, written: str, expected: str
):
    text = json.dumps(SPACE)[:-1] + f", limits: {{accounts: {written}, storage_gb: 5}}}}"
    environment.write(FILE, text)
    (problem,) = environment.problems()
    assert f"{FILE}:1: limits.accounts: found {expected}" in problem or expected in problem


class TestWhatPeopleLeaveBehind:
    """What is wrong is said for those who made the mistake."""

    def test_a_key_that_lost_its_indentation(self, environment: Environment):
        environment.write(FILE, "name: Cas\nstatus: requested\ncontact:\nemail: a@b.example\n")
        problems = environment.problems()
        assert any(
            problem.startswith(f"{FILE}:4: email: unknown key; allowed: name, ")
            and 'Begin the line with two spaces, below "contact:": it belongs there.' in problem
            for problem in problems
        )

    def test_a_merge_that_was_left_undone(self, environment: Environment):
        sides = "<<<<<<< HEAD\nname: Cas\n=======\nname: Autre\n>>>>>>> theirs\n"
        environment.write(FILE, f"status: requested\n{sides}contact: {{email: a@b.example}}\n")
        assert environment.problems() == [
            f"{FILE}:2: found a merge conflict; keep the lines that are right"
        ]

    @pytest.mark.parametrize("quote", ['"', "'"])
    def test_a_quote_that_is_never_closed(self, environment: Environment, quote: str):
        environment.write(FILE, f"status: requested\nname: {quote}Cas\ncontact: {{email: a@b.c}}\n")
        assert environment.problems() == [
            f"{FILE}:2: the quote that opens here is never closed; close it"
        ]


class TestNothingIsPrintedRaw:
    """A message is one line of harmless text, whatever file, key or value it speaks of."""

    TEXTS = (
        "x: ok\nspaces/other.yml:1: name: all is well",
        "\x1b[2J\x1b[31m",
        "\r\x1b]0;title\x07",
        "\u202egnp.exe",
        "::error file=x::all is lost",
        "a ::set-output name=x::y",
        "##vso[task.complete result=Failed]",
        "##[error]boo",
    )

    @pytest.mark.parametrize("text", TEXTS)
    def test_keys_and_values(self, environment: Environment, text: str):
        key = json.dumps(text)
        bodies = [
            f"{key}: 1",
            f"{key}: 1\n{key}: 2",
            f"office: {key}",
            f"locale: {key}",
            f"timezone: {key}",
            f"theme: {{logo: {key}}}",
            f"domains: [{key}]",
            f"contact: {{{key}: 1}}",
            f"decision: !{'x' if text.isprintable() else 'y'} {key}",
            f"limits: {key}",
        ]
        head = 'name: "Cas"\nstatus: requested\n'
        for body in bodies:
            contact = "" if body.startswith("contact") else "contact: {email: a@b.example}\n"
            environment.write(FILE, f"{head}{contact}{body}\n")
            self.harmless(environment.problems())

    @pytest.mark.parametrize("text", [text.replace("/", "") for text in TEXTS])
    def test_names_of_files(self, environment: Environment, text: str):
        environment.write(f"spaces/{text}.yml", "")
        self.harmless(environment.problems())

    @staticmethod
    def harmless(problems: list[str]):
        assert problems
        for problem in problems:
            assert problem.isprintable(), problem
            assert problem.startswith("spaces/"), problem
            for order in ("::error", "::set-output", "##vso[", "##["):
                assert order not in problem, problem
