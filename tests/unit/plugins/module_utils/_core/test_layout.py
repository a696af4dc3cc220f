# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The names of a space: one value, from which all others follow."""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import fields, replace

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout, _unit_names
from tests.policy.tree import ROOT

TEMPLATES = ROOT / "roles/spaces/templates"
UNITS = TEMPLATES / "etc/systemd/system"
VARIABLES = yaml.safe_load((ROOT / "roles/spaces/vars/main.yml").read_text())
velo = _layout.Layout("velo-ecole")


def values(layout: _layout.Layout) -> dict[str, str]:
    """Return every single name and path of a space."""
    names = [n for n, one in vars(_layout.Layout).items() if isinstance(one, property)]
    found = {name: getattr(layout, name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def paths(layout: _layout.Layout) -> dict[str, str]:
    return {name: value for name, value in values(layout).items() if value.startswith("/")}


def covered(path: str, patterns: tuple[str, ...]) -> bool:
    return any(
        fnmatch.fnmatchcase(path, pattern) or path.startswith(f"{pattern}/") for pattern in patterns
    )


@pytest.mark.parametrize("name", paths(velo))
def test_whatever_a_space_has_goes_with_it(name: str):
    assert covered(getattr(velo, name), (*velo.owned, *velo.guards))


def test_the_keys_of_a_check_go_too():
    assert covered(velo.maintenance_pass("0123abc"), velo.owned)


@pytest.mark.parametrize("slug", ["velo-ecole", "clients", "staging", "hosts", "tmp", "data"])
def test_nothing_of_another_space_goes_with_it(slug: str):
    """Whatever it is called: some slugs are names of folders beside those of spaces."""
    gone = _layout.Layout(slug)
    others = [_layout.Layout(name) for name in ("velo", "velo-ecole-2", "ecole", f"x-{slug}")]
    found = [path for one in others for path in (*paths(one).values(), one.maintenance_pass("k"))]
    assert [path for path in found if covered(path, (*gone.owned, *gone.guards))] == []


def test_what_an_earlier_version_left_goes_too():
    for path in (
        "/var/lib/archipel/upgrade/clients/velo-ecole.cnf",
        "/var/lib/archipel/life/velo-ecole.json.new",
    ):
        assert covered(path, velo.owned)


def test_data_go_last():
    assert velo.owned[-1] == velo.home
    assert velo.owned[0] == velo.vhost


@pytest.mark.parametrize("place", [one.name for one in fields(_layout.Places)])
def test_each_place_is_used(place: str):
    moved = _layout.Layout("velo-ecole", replace(_layout.Places(), **{place: "/elsewhere"}))
    changed = [name for name, value in paths(moved).items() if value.startswith("/elsewhere/")]
    assert changed


def test_places_are_those_of_the_role():
    places = _layout.Places()
    assert places.php == VARIABLES["__spaces_php_directory"]
    assert places.redis == VARIABLES["__spaces_redis_run"]
    assert places.invitations == VARIABLES["__spaces_spool"]
    assert places.maintenance == VARIABLES["__spaces_closed"]
    assert places.standstill == VARIABLES["__spaces_still"]
    assert places.php_sockets == VARIABLES["__spaces_sockets"]
    assert places.hosts == f"{VARIABLES['__spaces_network_state']}/hosts"


def test_units_are_those_of_the_role():
    ours = {f"{name.partition('@')[0]}@%i{name.partition('@')[2]}" for name in unit_templates()}
    units = _unit_names.Units("%i")
    known = {
        value for name in vars(_unit_names.Units) if isinstance(value := getattr(units, name), str)
    }
    assert {name for name in known if "@" in name} == ours
    assert units.upgrade == "archipel-upgrade-%i.service"


def unit_templates() -> list[str]:
    return [path.name.removesuffix(".j2") for path in UNITS.glob("space-*@.*")]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("etc/systemd/system/space-php@.socket.j2", "php_socket"),
        ("etc/systemd/system/space-php@.service.j2", "php"),
        ("etc/systemd/system/space-php@.service.j2", "redis_socket"),
        ("etc/systemd/system/space-redis@.service.j2", "redis_socket"),
        ("etc/systemd/system/space-redis@.service.j2", "redis"),
        ("etc/archipel/sandbox/space.conf.j2", "redis"),
        ("etc/archipel/sandbox/space.conf.j2", "config"),
        ("etc/archipel/sandbox/space.conf.j2", "temporary"),
    ],
)
def test_templates_spell_them_alike(template: str, expected: str):
    text = (TEMPLATES / template).read_text()
    here = {"spaces_root": "/srv/spaces"}
    text = re.sub(r"{{ (\w+) }}", lambda m: str({**VARIABLES, **here}.get(m[1], m[0])), text)
    assert re.search(rf"{re.escape(getattr(_layout.Layout('%i'), expected))}(?![\w/-])", text)


def documented() -> list[str]:
    """Return what the architecture says that a space has, of its own."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("\n## Names on a node\n")[2].partition("\n## ")[0]
    return [one for one in re.findall(r"`([^`]+)`", table) if "<slug>" in one]


@pytest.mark.parametrize("name", documented())
def test_the_architecture_names_them_alike(name: str):
    layout = _layout.Layout("<slug>")
    units = [
        value
        for one in vars(_unit_names.Units)
        if isinstance(value := getattr(layout.units, one), str)
    ]
    known = {*values(layout).values(), *units, layout.maintenance_pass("<key>")}
    names = {os.path.basename(one) for one in known}
    assert name.rstrip("/") in known | names


@pytest.mark.parametrize(
    "line",
    [
        'u space-velo-ecole 70003 "Nextcloud space" /srv/spaces/velo-ecole -',
        "d /srv/spaces/velo-ecole 0755 0 0",
        "d /srv/spaces/velo-ecole/tmp 0700 70003 70003",
        "d /run/archipel/redis/velo-ecole 0700 70003 70003",
    ],
)
def test_declarations_of_a_space(line: str):
    assert velo.declarations.search(line)
    assert not _layout.Layout("velo").declarations.search(line)
    assert not _layout.Layout("tmp").declarations.search(line)


def test_a_slug_is_found_again():
    units = velo.units
    for unit in (*units.waking, *units.running):
        assert _unit_names.parse_slug(unit) == "velo-ecole"
        assert (match := _unit_names.UNIT.fullmatch(unit))
        assert match["slug"] == "velo-ecole"
    assert _layout.parse_slugs([velo.user, "nobody"], _layout.USER) == {"velo-ecole"}
    assert _layout.parse_slugs([velo.database, "mysql"], _layout.DATABASE) == {"velo-ecole"}


def test_what_stops_is_all_that_may_run():
    units = velo.units
    assert {*units.stopped} == {*units.waking, *units.running} - {units.occ}
    assert {*units.enabled, *units.kept_alive} <= {*units.stopped}
