# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that orders and renews certificates: one pass over all names of a node."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path
from types import ModuleType

import pytest

NOW = 1_800_000_000.0
DAY = 86400
HELPERS = ("_acme_check", "_acme_order", "_acme_store", "_acme_wanted", "_acme_handover")


@pytest.fixture
def acme(load, monkeypatch) -> ModuleType:
    """The program, and its own modules anew."""
    for name in HELPERS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return load("roles/certificates/files/acme.py")


@pytest.fixture(scope="module")
def pem(tmp_path_factory) -> dict[str, bytes]:
    """A certificate of six days, as an authority gives one."""
    folder = tmp_path_factory.mktemp("pem")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 6"
    command = [*make.split(), "-subj", "/CN=x", "-keyout", "key", "-out", "crt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    key, certificate = (folder / "key").read_bytes(), (folder / "crt").read_bytes()
    return {"fullchain.pem": certificate * 2, "chain.pem": certificate, "privkey.pem": key}


class Node:
    """A node: nginx's files, an authority, the DNS."""

    def __init__(self, acme: ModuleType, root: Path, pem: t.Mapping[str, bytes]) -> None:
        self.acme, self.root, self.pem = acme, root, pem
        self.ordered: list[tuple[str, ...]] = []
        self.reloads = self.count = 0
        self.reloaded: list[str] = []
        # Name → what the authority, or the domain itself, answers.
        self.refused: dict[str, Exception] = {}
        self.away: set[str] = set()
        self.node_problem = self.reload_problem = ""
        self.nginx = "active"
        self.accounts_renewed = 0
        for name in ("vhosts", "www/.well-known/acme-challenge", "nginx", "metrics", "store"):
            (root / name).mkdir(parents=True)

    def space(self, slug: str, *names: str) -> None:
        """Let a space answer for names."""
        rows = "".join(f"{n} approved/fr/{slug};\n" for n in (f"{slug}.spaces.example", *names))
        (self.root / f"vhosts/{slug}.conf").write_text(f"# Ansible managed\n{rows}")

    @property
    def settings(self) -> dict[str, t.Any]:
        group = os.getgid()
        return {
            "directory": "https://acme.example/dir",
            "email": "a@example.org",
            "webroot": self.root / "www",
            "store": self.root / "store",
            "tls": self.root / "tls",
            "names": self.root / "names",
            "map": self.root / "nginx/names.map",
            "requests": {"wildcard": ["*.spaces.example", "spaces.example"]},
            "group": str(group),
            "names_group": str(group),
            "vhosts": self.root / "vhosts",
            "covered": ["*.spaces.example", "spaces.example"],
            "orders": 50,
            "dns": "rfc2136",
            "metrics": self.root / "metrics",
        }

    def order(self, _authority: object, domains: tuple[str, ...], *, by_dns: bool) -> t.Any:
        # Those of the platform, which must be there before nginx is.
        assert by_dns == (len(domains) > 1 or domains[0].endswith(".spaces.example"))
        self.ordered.append(domains)
        if domains[0] in self.refused:
            raise self.refused[domains[0]]
        self.count += 1
        return {**self.pem, "fullchain.pem": self.pem["fullchain.pem"] + b"%d" % self.count}

    def check(self, name: str, _webroot: Path, here: t.Sequence[str]) -> None:
        if name in self.away:
            raise sys.modules["_acme_check"].NotOursError(f"{name} leads elsewhere")

    def systemctl(self, command: t.Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[1] == "show":
            return subprocess.CompletedProcess(command, 0, f"{self.nginx}\n", "")
        assert command[:2] == ["systemctl", "try-reload-or-restart"]
        self.reloaded.append(command[2])
        self.reloads += 1
        return subprocess.CompletedProcess(
            command, int(bool(self.reload_problem)), "", self.reload_problem
        )

    def renew_account(self, _authority: object) -> None:
        self.accounts_renewed += 1
        self.refused = {}

    def run(self, now: float, **other: t.Any) -> t.Any:
        """Make a pass at a moment; return it."""
        self.ordered, self.reloads = [], 0
        settings = sys.modules["_acme_wanted"].Settings(**(self.settings | other))
        made = self.acme.Pass(settings, now)
        made.run()
        return made

    @property
    def map(self) -> list[str]:
        lines = (self.root / "nginx/names.map").read_text().splitlines()
        return [line.split()[0] for line in lines if not line.startswith("#")]

    @property
    def report(self) -> dict[str, t.Any]:
        return json.loads((self.root / "store/report.json").read_text())


@pytest.fixture
def node(acme, tmp_path, pem, monkeypatch) -> Node:
    made = Node(acme, tmp_path, pem)
    check, order, store = (sys.modules[name] for name in HELPERS[:3])
    monkeypatch.setattr(order, "order", made.order)
    monkeypatch.setattr(order, "renew_account", made.renew_account)
    monkeypatch.setattr(check, "check", made.check)
    monkeypatch.setattr(check, "check_node", lambda _: made.node_problem)
    monkeypatch.setattr(acme.subprocess, "run", made.systemctl)
    held = store.Held(NOW, NOW + 6 * DAY)
    monkeypatch.setattr(store, "inspect", lambda _: held)
    return made


def refusal(kind: str, text: str = "no") -> Exception:
    return sys.modules["_acme_order"].OrderError(kind, text)


class TestPass:
    def test_the_first_one_orders_all_and_the_second_nothing(self, node):
        node.space("amap", "amap.example")
        assert node.run(NOW).broken == []
        assert node.ordered == [("*.spaces.example", "spaces.example"), ("amap.example",)]
        assert (node.map, node.reloads) == (["amap.example"], 1)
        files = sorted(path.name for path in (node.root / "names/amap.example").iterdir())
        assert files == ["chain.pem", "dates.json", "fullchain.pem", "privkey.pem"]
        node.run(NOW + 60)
        assert (node.ordered, node.reloads) == ([], 0)

    def test_six_days_are_renewed_in_their_last_two_and_a_half(self, node, acme):
        """A third is left, and a twelfth before that at most; always at the same moment."""
        node.space("amap", "amap.example")
        node.run(NOW)
        node.run(NOW + 3.4 * DAY)
        assert node.ordered == []
        node.run(NOW + 4.01 * DAY)
        assert len(node.ordered) == 2

    def test_one_bad_domain_among_ten(self, node):
        names = [f"d{number}.example" for number in range(10)]
        node.space("amap", *names)
        node.away = {"d3.example"}
        node.refused = {"d5.example": refusal("domain", "caa: forbidden")}
        assert node.run(NOW).broken == []
        assert node.map == [name for name in names if name not in {"d3.example", "d5.example"}]
        problems = {n: c["problem"] for n, c in node.report["certificates"].items() if c["problem"]}
        assert {name: one["reason"] for name, one in problems.items()} == {
            "d3.example": "d3.example leads elsewhere",
            "d5.example": "caa: forbidden",
        }
        # Nothing is ordered for a name that leads elsewhere.
        assert ("d3.example",) not in node.ordered

    def test_what_fails_is_tried_more_and_more_rarely(self, node):
        node.space("amap", "away.example")
        node.away = {"away.example"}
        pauses, now = [], NOW
        for _ in range(9):
            again = node.run(now).troubles["away.example"].again
            pauses.append(again - now)
            # A moment too early nothing is asked.
            assert node.run(again - 1).troubles["away.example"].again == again
            now = again
        assert 900 <= pauses[0] < 1000
        assert all(after > before for before, after in itertools.pairwise(pauses[:7]))
        assert 86400 <= pauses[-1] < 96000

    def test_who_runs_it_by_hand_need_not_wait_for_the_platforms_own(self, node):
        """Whoever has mended the DNS runs the playbook: it orders now. Domains of others wait."""
        node.space("amap", "away.example")
        node.away = {"away.example"}
        node.refused = {"*.spaces.example": refusal("domain", "dns: no")}
        node.run(NOW)
        node.away, node.refused = set(), {}
        node.run(NOW + 60)
        assert node.ordered == []
        (node.root / "store/now").touch()
        node.run(NOW + 120)
        assert node.ordered == [("*.spaces.example", "spaces.example")]
        assert not (node.root / "store/now").exists()

    def test_own_domains_that_are_named_do_not_wait_either(self, node):
        """They lead here by now, as the one who names them knows; those of others wait."""
        node.space("amap", "away.example", "moved.example")
        node.away = {"away.example", "moved.example"}
        node.run(NOW)
        node.away = set()
        (node.root / "store/now").write_text("moved.example\n")
        node.run(NOW + 60)
        assert node.ordered == [("moved.example",)]
        assert not (node.root / "store/now").exists()

    def test_a_domain_that_was_corrected_is_forgotten(self, node):
        node.space("amap", "away.example")
        node.away = {"away.example"}
        again = node.run(NOW).troubles["away.example"].again
        node.away = set()
        made = node.run(again)
        assert (made.troubles, node.map) == ({}, ["away.example"])

    def test_an_authority_that_is_down_is_asked_twice_and_all_goes_on(self, node):
        node.space("amap", *(f"d{number}.example" for number in range(5)))
        node.run(NOW)
        names = ["*.spaces.example", *(f"d{number}.example" for number in range(5))]
        node.refused = {name: refusal("authority", "connection refused") for name in names}
        made = node.run(NOW + 4.5 * DAY)
        assert (len(node.ordered), node.reloads, len(node.map)) == (2, 0, 5)
        assert made.broken == ["nothing more is ordered now: connection refused"]

    def test_what_nearly_ends_is_said_and_what_an_owner_must_do_is_not(self, node):
        node.space("amap", "away.example")
        node.run(NOW)
        node.away = {"away.example"}
        node.refused = {"*.spaces.example": refusal("authority", "connection refused")}
        made = node.run(NOW + 5.5 * DAY)
        assert made.broken == ["wildcard: ends in 0.5 days: connection refused"]

    def test_limits_end_a_pass(self, node):
        names = [f"d{number}.example" for number in range(9)]
        node.space("amap", *names)
        node.refused = {name: refusal("limited", "rateLimited: too many") for name in names}
        made = node.run(NOW)
        assert len(node.ordered) == 4
        assert min(one.again for one in made.troubles.values()) >= NOW + 3600

    def test_so_many_orders_a_pass_and_none_starves(self, node):
        """Domains that lead elsewhere take nobody's place."""
        names = [f"d{number}.example" for number in range(9)]
        node.space("amap", *names)
        node.away = set(names[:4])
        node.run(NOW, orders=3)
        assert len(node.ordered) == 3
        node.run(NOW + 60, orders=3)
        assert set(node.map) == set(names[4:])

    def test_an_account_that_is_not_known_any_more_is_replaced_once(self, node):
        node.refused = {"*.spaces.example": refusal("account", "accountDoesNotExist: ")}
        assert node.run(NOW).broken == []
        assert (node.accounts_renewed, len(node.ordered)) == (1, 2)

    def test_an_account_that_is_refused_anew_is_not_made_again_and_again(self, node, monkeypatch):
        monkeypatch.setattr(node, "renew_account", lambda _: None)
        monkeypatch.setattr(sys.modules["_acme_order"], "renew_account", lambda _: None)
        node.space("amap", *(f"d{number}.example" for number in range(5)))
        names = ["*.spaces.example", *(f"d{number}.example" for number in range(5))]
        node.refused = {name: refusal("account", "unauthorized: deactivated") for name in names}
        made = node.run(NOW)
        assert len(node.ordered) == 3
        assert made.broken[0] == "nothing more is ordered now: unauthorized: deactivated"

    def test_a_node_whose_nginx_is_down_blames_no_domain(self, node):
        node.space("amap", "amap.example")
        node.node_problem = "the plain port of this node does not answer"
        made = node.run(NOW)
        assert node.ordered == [("*.spaces.example", "spaces.example")]
        assert (made.troubles, made.broken) == ({}, [node.node_problem])

    def test_a_domain_that_was_removed_leaves_and_comes_back_without_an_order(self, node):
        node.space("amap", "amap.example")
        node.run(NOW)
        node.space("amap")
        node.run(NOW + 60)
        assert (node.map, node.reloads) == ([], 1)
        node.space("chorale", "amap.example")
        node.run(NOW + 120)
        assert (node.map, node.ordered) == (["amap.example"], [])

    def test_its_key_is_removed_after_a_month(self, node):
        node.space("amap", "amap.example")
        node.run(NOW)
        node.space("amap")
        node.run(NOW + 60)
        node.run(NOW + 31 * DAY)
        left = {path.name.partition("@")[0] for path in node.root.glob("names/.versions/*")}
        assert left == {"_fallback"}
        assert not (node.root / "names/amap.example").is_symlink()

    def test_a_name_without_a_certificate_is_shown_the_wildcard(self, node):
        node.space("amap", "away.example")
        node.away = {"away.example"}
        node.run(NOW)
        shown = node.root / "names/_fallback/privkey.pem"
        assert shown.read_bytes() == (node.root / "tls/wildcard/privkey.pem").read_bytes()
        before = shown.resolve()
        node.run(NOW + 4.5 * DAY)
        assert shown.resolve() != before

    def test_a_map_that_nginx_refuses_is_taken_back(self, node):
        """Its next start would fail."""
        node.space("amap", "amap.example")
        node.run(NOW)
        before = (node.root / "nginx/names.map").read_text()
        node.space("chorale", "chorale.example")
        node.reload_problem = "emerg"
        made = node.run(NOW + 60)
        assert made.broken == ["nginx was not reloaded: emerg"]
        assert set(node.reloaded) == {"nginx.service"}
        assert (node.root / "nginx/names.map").read_text() == before
        node.reload_problem = ""
        node.run(NOW + 120)
        assert node.map == ["amap.example", "chorale.example"]

    def test_a_reload_that_failed_is_made_up_for(self, node):
        """The new certificate is in its place: nothing else would tell that nginx has the old."""
        node.reload_problem = "emerg"
        node.run(NOW)
        node.reload_problem = ""
        assert (node.run(NOW + 60).broken, node.reloads) == ([], 1)
        node.run(NOW + 120)
        assert node.reloads == 0

    def test_what_shows_the_certificates_of_a_node_is_reloaded(self, node):
        """Of an edge it is HAProxy, and own domains are not its."""
        units = ["haproxy.service"]
        node.reload_problem = "no configuration"
        made = node.run(NOW, units=units, vhosts=None)
        assert made.broken == ["haproxy was not reloaded: no configuration"]
        node.reload_problem = ""
        assert node.run(NOW + 60, units=units, vhosts=None).broken == []
        assert node.reloaded == 2 * units

    @pytest.mark.parametrize("state", ["inactive", "failed"])
    def test_a_node_whose_nginx_is_not_there_yet(self, node, state):
        """A first run orders the wildcard before it installs nginx."""
        node.nginx = state
        assert (node.run(NOW).broken, node.reloads) == ([], 0)

    def test_a_pass_that_is_killed_before_the_reload(self, node, monkeypatch):
        node.run(NOW)

        def kill(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(node.acme.Pass, "_reload", kill)
            with pytest.raises(KeyboardInterrupt):
                node.run(NOW + 4.5 * DAY)
        assert node.ordered
        store = sys.modules["_acme_store"]
        monkeypatch.setattr(store, "is_due", lambda *_: False)
        node.run(NOW + 4.6 * DAY)
        assert (node.ordered, node.reloads) == ([], 1)

    def test_another_authority_or_name_orders_anew(self, node):
        node.run(NOW)
        node.run(NOW + 60, directory="https://staging.example/dir")
        assert node.ordered == [("*.spaces.example", "spaces.example")]
        other = {"wildcard": ["*.other.example", "other.example"]}
        node.run(NOW + 120, directory="https://staging.example/dir", requests=other)
        assert node.ordered == [("*.other.example", "other.example")]

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"troubles": {"a": 1}, "gone": {}}'])
    def test_a_damaged_memory_costs_patience_alone(self, node, text):
        (node.root / "store/state.json").write_text(text)
        assert node.run(NOW).broken == []

    def test_an_own_domain_without_a_folder_of_spaces(self, node):
        """A node of office servers has requests alone."""
        made = node.run(NOW, vhosts=None, requests={"office": ["office.spaces.example"]})
        assert (made.broken, node.ordered) == ([], [("office.spaces.example",)])
        assert not (node.root / "names").exists()

    def test_metrics_say_when_each_ends(self, node):
        node.space("amap", "away.example")
        node.away = {"away.example"}
        node.run(NOW)
        lines = (node.root / "metrics/archipel_certificates.prom").read_text().splitlines()
        assert [line for line in lines if not line.startswith("#")] == [
            f'archipel_certificate_expiry_seconds{{name="wildcard"}} {int(NOW + 6 * DAY)}',
            'archipel_certificate_problem{name="away.example"} 1',
            'archipel_certificate_problem{name="wildcard"} 0',
        ]


class TestFetching:
    """A node whose wildcard another one orders."""

    WILDCARD = "https://acme.example/dir *.spaces.example spaces.example"

    @pytest.fixture
    def issuer(self, node, monkeypatch) -> dict[str, t.Any]:
        """What the node that orders answers: certificates by name, or an error."""
        handover = sys.modules["_acme_handover"]
        files = {**node.pem, "fullchain.pem": node.pem["fullchain.pem"] + b"issuer"}
        answer: dict[str, t.Any] = {"wildcard": handover.Given(self.WILDCARD, files)}

        def fetch(_: object) -> dict[str, t.Any]:
            if "error" in answer:
                raise handover.HandoverError(answer["error"])
            return answer

        monkeypatch.setattr(handover, "fetch", fetch)
        monkeypatch.setattr(handover, "is_pair", lambda files: b"wrong" not in files["privkey.pem"])
        return answer

    def run(self, node: Node, now: float) -> t.Any:
        handover = sys.modules["_acme_handover"]
        return node.run(now, issuer=handover.Issuer("node1", "10.0.0.1", 22, "u", "k", "h"))

    def test_it_fetches_that_and_orders_own_domains_itself(self, node, issuer):
        node.space("amap", "amap.example")
        assert self.run(node, NOW).broken == []
        assert (node.ordered, node.reloads) == ([("amap.example",)], 1)
        shown = (node.root / "tls/wildcard/fullchain.pem").read_bytes()
        assert shown.endswith(b"issuer")
        self.run(node, NOW + 60)
        assert (node.ordered, node.reloads) == ([], 0)

    def test_what_was_renewed_there_is_new_here(self, node, issuer):
        self.run(node, NOW)
        given = issuer["wildcard"]
        given.files["fullchain.pem"] += b"anew"
        self.run(node, NOW + 60)
        assert (node.root / "tls/wildcard/fullchain.pem").read_bytes().endswith(b"anew")
        assert node.reloads == 1

    def test_the_old_one_stays_while_nobody_answers(self, node, issuer):
        self.run(node, NOW)
        issuer["error"] = "node1 (10.0.0.1, port 22) gave no answer"
        made = self.run(node, NOW + 60)
        assert made.broken == []
        assert node.report["certificates"]["wildcard"]["problem"]["reason"] == issuer["error"]
        assert self.run(node, NOW + 5.5 * DAY).broken == [
            f"wildcard: ends in 0.5 days: {issuer['error']}"
        ]
        # Nothing waits: it is asked with each pass, and forgotten when it answers.
        del issuer["error"]
        assert self.run(node, NOW + 5.5 * DAY + 60).troubles == {}

    def test_one_for_other_names_is_not_taken(self, node, issuer):
        issuer["wildcard"] = type(issuer["wildcard"])(
            "https://acme.example/dir *.old.example", issuer["wildcard"].files
        )
        (said,) = self.run(node, NOW).broken
        assert "*.old.example where" in said
        assert said.endswith("spaces.example is wanted: converge node1")
        assert not (node.root / "tls/wildcard").exists()

    def test_what_it_has_none_of(self, node, issuer):
        issuer.clear()
        (said,) = self.run(node, NOW).broken
        assert "node1 orders it for this node, and it has none" in said

    def test_a_key_of_another_is_not_taken(self, node, issuer):
        self.run(node, NOW)
        issuer["wildcard"].files.update({"fullchain.pem": b"x", "privkey.pem": b"wrong"})
        made = self.run(node, NOW + 60)
        assert "a key that is not the certificate's" in made.troubles["wildcard"].reason
        assert b"wrong" not in (node.root / "tls/wildcard/privkey.pem").read_bytes()


class TestOwnNames:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("amap.example approved/fr/amap@127.112.0.1;", ["amap.example"]),
            ("AMAP.example approved/fr/amap;", ["amap.example"]),
            ("# old.example approved/fr/amap;\n", []),
            ("amap.spaces.example x;", []),
            ("spaces.example x;", []),
            ("deep.amap.spaces.example x;", []),
            # What is no host name is not handed to an authority, nor written into nginx's map.
            ("~^.*$ x;", []),
            ("../../etc x;", []),
            ("-rf.example x;", []),
            ("10.0.0.1 x;", []),
            ("example x;", []),
        ],
    )
    def test_they_are_what_the_wildcard_is_not_for(self, acme, text, names):
        covered = ["*.spaces.example", "spaces.example"]
        assert sys.modules["_acme_wanted"].list_own([text], covered) == names


class TestPlace:
    @pytest.fixture
    def store(self, acme) -> ModuleType:
        return sys.modules["_acme_store"]

    @pytest.fixture
    def place(self, store, tmp_path) -> t.Any:
        return store.Place(tmp_path / "wildcard", tmp_path / ".versions", os.getgid())

    def test_only_the_group_reads_the_key(self, store, place, pem):
        place.put(pem, store.Held(1, 2, "x"))
        folder = place.link.resolve()
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert modes["privkey.pem"] == 0o640
        assert (folder.stat().st_mode & 0o777, modes["fullchain.pem"]) == (0o750, 0o644)

    def test_the_old_one_goes_when_the_new_one_is_there(self, store, place, pem):
        place.put(pem, store.Held(1, 2, "x"))
        first = place.link.resolve()
        place.put(pem, store.Held(3, 4, "y"))
        assert place.held() == store.Held(3, 4, "y")
        assert not first.exists()

    @pytest.mark.parametrize("step", ["symlink_to", "replace", "chmod"])
    def test_killed_in_between_the_old_one_is_whole(self, store, place, pem, monkeypatch, step):
        place.put(pem, store.Held(1, 2, "x"))

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(store.Path, step, killed)
            with pytest.raises(KeyboardInterrupt):
                place.put(pem, store.Held(3, 4, "y"))
        assert place.held() == store.Held(1, 2, "x")
        place.put(pem, store.Held(3, 4, "y"))
        assert len(list(place.versions.iterdir())) == 1

    def test_the_folder_of_another_provider_is_replaced(self, store, place, pem):
        place.link.mkdir()
        for name, text in pem.items():
            (place.link / name).write_bytes(text)
        found = place.held()
        # Six days, read from the certificate; whose order it was nobody knows.
        assert (found.until - found.since, found.identity) == (6 * DAY, "")
        assert store.is_due("wildcard", "x", found, found.since)
        place.put(pem, store.Held(3, 4, "y"))
        assert place.link.is_symlink()
        assert len(list(place.versions.iterdir())) == 1

    def test_what_another_provider_wrote_in_its_place_is_not_ours(self, store, place, pem):
        """Who signed it is asked of the certificate, not of what was noted before."""
        place.put(pem, store.Held(1, 2, "x"))
        (place.link / "fullchain.pem").write_bytes(pem["chain.pem"])
        found = place.held()
        assert (found.until - found.since, found.identity) == (6 * DAY, "")

    @pytest.mark.parametrize("name", ["fullchain.pem", "privkey.pem", "chain.pem"])
    def test_half_a_certificate_is_none(self, store, place, pem, name):
        place.put(pem, store.Held(1, 2, "x"))
        (place.link / name).unlink()
        assert place.held() is None

    def test_what_is_no_certificate_is_refused(self, store, tmp_path):
        (tmp_path / "x.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
        with pytest.raises(ValueError, match=r"x\.pem: "):
            store.inspect(tmp_path / "x.pem")

    def test_names_are_spread_and_keep_their_moment(self, store):
        shares = [store.share(f"d{number}.example") for number in range(1000)]
        assert shares == [store.share(f"d{number}.example") for number in range(1000)]
        assert 0.45 < sum(shares) / 1000 < 0.55
        assert min(shares) < 0.01
        assert max(shares) > 0.99


CONNECTION = (
    "2026/11/27 18:12:22 Could not obtain certificates:\n"
    "\terror: one or more domains had a problem:\n"
    "[away.asso.test] acme: error: 400 :: urn:ietf:params:acme:error:connection :: Get "
    '"http://away.asso.test:80/.well-known/acme-challenge/R0": connection refused\n'
)
NONCE = (
    "2026/11/27 18:12:14 [INFO] retry due to: acme: error: 400 :: POST :: https://a.test/order :: "
    "urn:ietf:params:acme:error:badNonce :: JWS has an invalid anti-replay nonce: _S6\n"
)
ACCOUNT = (
    "2026/11/27 18:14:53 acme: error: 400 :: POST :: https://a.test/order-plz :: "
    "urn:ietf:params:acme:error:accountDoesNotExist :: Account https://a.test/26ab not found.\n"
)
TEXT = "acme: error: {0} :: POST :: https://a.test/order-plz :: urn:ietf:params:acme:error:{1} :: x"


class TestAnswers:
    @pytest.mark.parametrize(
        ("said", "kind", "word"),
        [
            (CONNECTION, "domain", "A and AAAA"),
            (NONCE + CONNECTION, "domain", "connection refused"),
            (ACCOUNT, "account", "26ab"),
            (f"[a.test] {TEXT.format(403, 'unauthorized')}", "domain", "unauthorized"),
            (TEXT.format(403, "unauthorized"), "account", "unauthorized"),
            (TEXT.format(429, "rateLimited"), "limited", "rateLimited"),
            (TEXT.format(403, "caa"), "domain", "CAA"),
            (TEXT.format(400, "rejectedIdentifier"), "domain", "take it out"),
            # One name that is no name must not stop the others.
            (TEXT.format(400, "malformed"), "domain", "malformed"),
            (TEXT.format(500, "serverInternal"), "authority", "serverInternal"),
            ("2026/11/27 18:14:51 Could not create client: refused", "authority", "Could not"),
            (NONCE, "authority", "badNonce"),
            ("", "authority", "nothing"),
        ],
    )
    def test_they_say_whose_fault_it_is(self, acme, said, kind, word):
        error = sys.modules["_acme_order"].explain(said)
        assert (error.kind, word in str(error)) == (kind, True)
        assert not str(error).startswith("2026")


LEGO = """#!/bin/sh
echo "$@" > {heard}
env > {heard}.env
[ {code} = slow ] && exec sleep 5
while [ "$1" != --path ]; do shift; done
mkdir -p "$2/certificates" "$2/accounts/x"
cd "$2/certificates"
for kind in {kinds}; do echo $kind > _.a.test.$kind; done
exit {code}
"""


class TestOrder:
    @pytest.fixture
    def order(self, acme, tmp_path, monkeypatch) -> t.Callable[..., t.Any]:
        module = sys.modules["_acme_order"]

        def made(kinds: str = "key crt issuer.crt", code: int | str = 0, **other: t.Any) -> t.Any:
            program = tmp_path / "lego"
            program.write_text(LEGO.format(heard=tmp_path / "heard", kinds=kinds, code=code))
            program.chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            (tmp_path / "store").mkdir(exist_ok=True)
            authority = module.Authority(
                "https://a.test/dir", "a@a.test", tmp_path / "www", tmp_path / "store", **other
            )
            return module.order(authority, ("*.a.test", "a.test"), by_dns=bool(other))

        return made

    def test_its_files_are_had_and_nothing_stays_but_the_account(self, order, tmp_path):
        files = order()
        assert files == {
            "fullchain.pem": b"crt\n",
            "chain.pem": b"issuer.crt\n",
            "privkey.pem": b"key\n",
        }
        assert [path.name for path in (tmp_path / "store").iterdir()] == ["accounts"]
        assert (tmp_path / "store/accounts/x").is_dir()

    def test_the_secret_of_the_dns_is_in_no_command_line(self, order, tmp_path):
        order(dns="rfc2136", environment={"RFC2136_TSIG_SECRET": "c2VjcmV0"}, resolvers=("::1",))
        heard = (tmp_path / "heard").read_text()
        assert "--dns rfc2136 --dns.resolvers ::1" in heard
        assert "c2VjcmV0" not in heard
        assert "RFC2136_TSIG_SECRET=c2VjcmV0" in (tmp_path / "heard.env").read_text()

    @pytest.mark.parametrize(("kinds", "code"), [("key crt", 0), ("", 0), ("key crt", 1)])
    def test_less_than_a_certificate_is_none(self, order, tmp_path, kinds, code):
        with pytest.raises(sys.modules["_acme_order"].OrderError) as caught:
            order(kinds, code)
        assert caught.value.kind == "authority"
        assert [path.name for path in (tmp_path / "store").iterdir()] == ["accounts"]

    def test_an_authority_that_says_nothing_is_not_waited_for(self, order, tmp_path, monkeypatch):
        module = sys.modules["_acme_order"]
        monkeypatch.setattr(module, "SECONDS", 0.3)
        with pytest.raises(module.OrderError, match="gave no answer"):
            order(code="slow")


class TestCheck:
    @pytest.fixture
    def check(self, acme, tmp_path) -> ModuleType:
        (tmp_path / ".well-known/acme-challenge").mkdir(parents=True)
        return sys.modules["_acme_check"]

    def test_each_address_is_asked_for_the_word(self, check, tmp_path):
        asked = []

        def ours(address: str, name: str, path: str) -> tuple[int, bytes]:
            asked.append((address, name))
            return 200, (tmp_path / path.lstrip("/")).read_bytes()

        check.check("a.test", tmp_path, (), lambda _: ["10.0.0.1", "fd00::1"], ours)
        assert asked == [("10.0.0.1", "a.test"), ("fd00::1", "a.test")]
        assert list((tmp_path / ".well-known/acme-challenge").iterdir()) == []

    def test_behind_a_router_that_leads_nobody_back_the_loopback_is_asked(self, check, tmp_path):
        """For the addresses that are said to be this node's; others are asked as ever."""
        asked = []

        def ours(address: str, _name: str, path: str) -> tuple[int, bytes]:
            asked.append(address)
            return 200, (tmp_path / path.lstrip("/")).read_bytes()

        found = ["203.0.113.7", "2001:db8::7", "203.0.113.9"]
        here = ["203.0.113.7", "2001:DB8:0::7"]
        check.check("a.test", tmp_path, here, lambda _: found, ours)
        assert asked == ["127.0.0.1", "127.0.0.1", "203.0.113.9"]

    def test_a_forgotten_address_is_named(self, check, tmp_path):
        def mixed(address: str, _name: str, path: str) -> tuple[int, bytes]:
            if address == "fd00::1":
                raise ConnectionRefusedError(111, "Connection refused")
            return 200, (tmp_path / path.lstrip("/")).read_bytes()

        with pytest.raises(
            check.NotOursError, match=r"fd00::1 does not answer.*Its other"
        ) as caught:
            check.check("a.test", tmp_path, (), lambda _: ["10.0.0.1", "fd00::1"], mixed)
        assert "10.0.0.1" not in str(caught.value)
        assert list((tmp_path / ".well-known/acme-challenge").iterdir()) == []

    @pytest.mark.parametrize(
        ("answer", "word"),
        [
            ((200, b"<html>parking</html>"), "as somebody else (status 200)"),
            ((301, b""), "as somebody else (status 301)"),
            (TimeoutError(), "within 10 seconds"),
            (OSError("no route"), "no route"),
        ],
    )
    def test_whoever_answers_otherwise_is_not_us(self, check, tmp_path, answer, word):
        def other(*_: str) -> tuple[int, bytes]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        with pytest.raises(check.NotOursError) as caught:
            check.check("a.test", tmp_path, (), lambda _: ["10.0.0.1"], other)
        assert word in str(caught.value)
        assert check.check_node(tmp_path, other).startswith("the plain port of this node ")

    def test_a_name_without_an_address_says_what_to_do(self, check):
        with pytest.raises(check.NotOursError, match="Its owner lets it lead to this platform"):
            check.resolve("nobody.invalid")

    def test_what_a_killed_pass_left_is_removed(self, check, tmp_path):
        folder = tmp_path / ".well-known/acme-challenge"
        (folder / "archipel-0").write_text("old")
        (folder / "of-lego").write_text("now")
        check.forget(tmp_path)
        assert [path.name for path in folder.iterdir()] == ["of-lego"]


class TestProgram:
    @pytest.fixture
    def settings(self, node, tmp_path) -> Path:
        path = tmp_path / "certificates.json"
        path.write_text(
            json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in node.settings.items()})
        )
        return path

    def test_it_names_what_the_platform_lacks(self, acme, node, settings, capsys):
        node.space("amap", "amap.example")
        assert acme.main(["--missing"], settings) == 0
        assert capsys.readouterr().out == "wildcard\n"
        assert acme.main([], settings) == 0
        capsys.readouterr()
        assert acme.main(["--missing"], settings) == 0
        assert capsys.readouterr().out == "\n"

    def test_it_makes_the_folders_it_needs(self, acme, node, settings, tmp_path):
        for folder in ("www/.well-known/acme-challenge", "www/.well-known", "www", "store"):
            (tmp_path / folder).rmdir()
        assert acme.main([], settings) == 0
        assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "www/.well-known/acme-challenge").stat().st_mode & 0o777 == 0o755

    def test_what_is_asked_for_while_it_goes_on_has_a_pass_of_its_own(
        self, acme, node, settings, tmp_path, monkeypatch
    ):
        """Nobody waits for the timer; nor is there an end without an end."""
        passes = []

        def run(_self: object) -> None:
            passes.append(1)
            (tmp_path / "store/now").touch()

        monkeypatch.setattr(acme.Pass, "run", run)
        assert acme.main([], settings) == 0
        assert len(passes) == acme.PASSES
        monkeypatch.setattr(acme.Pass, "run", lambda _self: passes.append(1))
        assert acme.main([], settings) == 0
        assert len(passes) == acme.PASSES + 1
        assert not (tmp_path / "store/now").exists()

    def test_who_has_to_look_is_told_and_the_exit_says_it(self, acme, node, settings, capsys):
        node.refused = {"*.spaces.example": refusal("authority", "down")}
        assert acme.main([], settings) == 1
        assert capsys.readouterr().err == "<3>wildcard: there is none: down\n"
