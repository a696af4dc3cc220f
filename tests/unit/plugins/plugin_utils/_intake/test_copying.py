# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of which spaces a copy may be made, what its file says, and every reason why not."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import replace

import pytest
from ansible.parsing.vault import VaultLib

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _copying
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake._copying import (
    Asked,
    RefusedError,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _strict_yaml
from tests.unit.environment import Environment

TODAY = datetime.datetime.now(tz=datetime.UTC).date()
LAST = (TODAY + datetime.timedelta(days=30)).isoformat()
NODES: t.Any = (
    {"name": "node1", "parts": ["web", "db"], "spaces": 9, "storage_gb": 500},
    {"name": "node2", "parts": ["web"], "spaces": None, "storage_gb": None},
)
ASKED = Asked(
    only="velo-ecole",
    into="velo-essai",
    consent="Nadia Ferrand, mail of 2026-05-28",
    by="nadia",
    today=TODAY,
    until="",
    days=30,
    taken=frozenset({"www", "web", "node1"}),
    nodes=NODES,
    storage_gb=40,
)
REFUSED = {"by": "m", "on": "2024-05-30", "reason": "x"}


@pytest.fixture
def home(environment: Environment) -> Environment:
    """A registry in which spaces are of every kind."""
    environment.placement(
        "ailleurs: {id: 70003, web: node2, db: node1}",
        "cine: {id: 70001, web: node1, db: node1}",
        "dorme: {id: 70002, web: node1, db: node1}",
        "pause: {id: 70004, web: node1, db: node1}",
        "velo-ecole: {id: 70000, web: node1, db: node1}",
        "velo-sans: {id: 70005, web: node1, db: node1}",
    )
    theme = {"color": "#3a7d34", "slogan": "Ensemble", "logo": "velo-ecole.png"}
    environment.space(
        "velo-ecole",
        office="onlyoffice",
        ring="early",
        locale="fr",
        theme=theme,
        limits={"storage_gb": 60},
        domains=["cloud.velo.example"],
        registration=True,
    )
    for slug in ("ailleurs", "cine"):
        environment.space(slug)
    environment.space("neuf")
    environment.space("dorme", status="suspended", decision=REFUSED)
    environment.space("pause", hold=True)
    environment.space("demande", status="requested", decision=None)
    return environment


def copy(home: Environment, write: bool = True, **changes: t.Any) -> _copying.Copy:
    return _copying.copy(home.home, replace(ASKED, **changes), VaultLib(), write=write)


def refused(home: Environment, **changes: t.Any) -> str:
    before = home.tree()
    with pytest.raises(RefusedError) as caught:
        copy(home, **changes)
    assert home.tree() == before
    return str(caught.value)


def test_the_file_says_whose_data_it_is_who_agreed_and_when_it_ends(home: Environment):
    found = copy(home)
    assert (found.source, found.into, found.web) == ("velo-ecole", "velo-essai", "node1")
    day = TODAY.isoformat()
    assert _strict_yaml.load(found.path.read_bytes()) == {
        "name": f"Vélo-école (copy of {day})",
        "status": "approved",
        "decision": {"by": "nadia", "on": day},
        "office": "onlyoffice",
        "limits": {"storage_gb": 60},
        "locale": "fr",
        "ring": "early",
        "theme": {"color": "#3a7d34", "slogan": "Ensemble"},
        "copy_of": {
            "space": "velo-ecole",
            "on": day,
            "by": "nadia",
            "consent": "Nadia Ferrand, mail of 2026-05-28",
        },
        "closing": {"on": LAST, "by": "nadia", "noticed_on": day},
    }


def test_the_inventory_takes_it_and_places_it_beside_the_space(home: Environment):
    (home.home / "spaces/velo-ecole.png").write_bytes(b"")
    home.space("velo-ecole")
    home.write("nodes.yml", "web: {hosts: {node1: {}, node2: {}}}\ndb: {hosts: {node1: {}}}\n")
    copy(home)
    assert home.problems() == []
    pending = home.load().groups["nodes"].vars["archipel_placement"]["pending"]
    assert (pending["velo-essai"]["web"], pending["velo-essai"]["db"]) == ("node1", "node1")


def test_check_mode_writes_nothing(home: Environment):
    before = home.tree()
    assert copy(home, write=False).text
    assert home.tree() == before


def test_a_run_that_was_cut_short_goes_on_without_asking_again(home: Environment):
    copy(home)
    before = home.tree()
    assert copy(home, consent="", until="never").text == b""
    assert home.tree() == before


def test_a_copy_is_not_made_where_its_space_is_not_any_more(home: Environment):
    copy(home)
    home.placement(
        "velo-ecole: {id: 70000, web: node2, db: node2}",
        "velo-essai: {id: 70006, web: node1, db: node1}",
    )
    said = refused(home)
    assert "into: velo-essai has its place on node1, velo-ecole is on node2" in said
    assert "close and purge it" in said


def test_another_ring_and_another_day(home: Environment):
    until = (TODAY + datetime.timedelta(days=3)).isoformat()
    data = _strict_yaml.load(copy(home, ring="canary", until=until).path.read_bytes())
    assert (data["ring"], data["closing"]["on"]) == ("canary", until)


def test_a_long_name_is_cut(home: Environment):
    home.space("cine", name="x" * 200)
    data = _strict_yaml.load(copy(home, only="cine").path.read_bytes())
    assert len(data["name"]) == 200
    assert data["name"].endswith(f"(copy of {TODAY})")


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("", 'only: found ""; allowed: one space'),
        ("velo-ecole,cine", 'only: found "velo-ecole,cine"; allowed: one space'),
        ("../velo", 'only: found "../velo"; allowed: one space'),
        (
            "velo-ecol",
            'velo-ecol has no file, or one that check.yml finds wrong. Did you mean "velo-ecole"?',
        ),
        ("velo-sans", "only: velo-sans has no file"),
        ("dorme", "only: dorme is suspended; allowed: a space that is approved"),
        ("demande", "only: demande is requested; allowed: a space that is approved"),
        ("pause", "only: pause is on hold"),
        ("neuf", "only: neuf is not on any node yet"),
        ("ailleurs", "only: ailleurs has its database on node1, its files on node2"),
    ],
)
def test_of_which_spaces_none_is_made(home: Environment, only: str, said: str):
    assert said in refused(home, only=only)


def test_no_copy_of_a_copy(home: Environment):
    copy(home)
    assert (
        "only: velo-essai is a copy of velo-ecole itself; make another one of velo-ecole"
        in refused(home, only="velo-essai", into="velo-autre")
    )


@pytest.mark.parametrize(
    ("into", "said"),
    [
        ("", 'into: found ""; allowed: '),
        ("Velo", 'into: found "Velo"; allowed: '),
        ("x", 'into: found "x"; allowed: '),
        ("a" * 27, "into: found "),
        ("www", "into: www is a name that no space may have"),
        ("node1", "into: node1 is a name that no space may have"),
        ("cine", "into: there is a file of a space cine already"),
        ("velo-ecole", "into: there is a file of a space velo-ecole already"),
        ("velo-sans", "into: velo-sans is or was the name of another space"),
    ],
)
def test_names_that_no_copy_takes(home: Environment, into: str, said: str):
    assert said in refused(home, into=into)


def test_the_copy_of_another_space_is_another_one(home: Environment):
    copy(home)
    assert "there is a file of a space velo-essai already" in refused(home, only="cine")


@pytest.mark.parametrize("consent", ["", "  \n"])
def test_without_consent(home: Environment, consent: str):
    said = refused(home, consent=consent)
    assert "consent: missing; it is other people's data. Say who of them agreed" in said


def test_with_a_consent_that_is_none(home: Environment):
    assert "copy_of.consent: found" in refused(home, consent="\u202e")


def test_without_somebody_who_decides(home: Environment):
    assert "by: missing; allowed: who decides" in refused(home, by=" ")


@pytest.mark.parametrize(
    "until",
    [
        "never",
        TODAY.isoformat(),
        "2020-01-01",
        "20991231",
        (TODAY + datetime.timedelta(days=367)).isoformat(),
    ],
)
def test_a_day_that_is_none(home: Environment, until: str):
    assert f'until: found "{until}"; allowed: a day after {TODAY}' in refused(home, until=until)


def test_a_ring_that_there_is_not(home: Environment):
    assert (
        'ring: found "canari"; allowed: canary, early, stable. Did you mean "canary"?'
        in refused(home, ring="canari")
    )


@pytest.mark.parametrize(
    ("changes", "said"), [({"spaces": 5}, "spaces"), ({"storage_gb": 270}, "storage_gb")]
)
def test_a_node_that_is_promised_to_others(home: Environment, changes: dict[str, int], said: str):
    full: t.Any = ({**NODES[0], **changes}, NODES[1])
    assert f"node1 has no room for a copy of velo-ecole: {said} of archipel_capacity" in refused(
        home, nodes=full
    )


def test_all_that_is_wrong_comes_at_once(home: Environment):
    said = refused(home, only="dorme", into="www", consent="", until="never", ring="x")
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "only",
        "into",
        "consent",
        "until",
        "ring",
    ]
