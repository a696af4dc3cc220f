# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each action sends to its module has the shape that its type says."""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.action import (
    spaces_application_set,
    spaces_databases,
    spaces_drift,
    spaces_files,
    spaces_installations,
    spaces_invitations,
    spaces_quotas,
    spaces_services,
    spaces_upgrade,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _nextcloud_payloads,
    _payloads,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack, unpack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from tests.render.samples import SETTINGS, SPACE, context, space
from tests.support.shapes import differences

SERVER = {
    "shard": "c1",
    "host": "c1.example",
    "url": "https://c1.example",
    "addresses": ["192.0.2.1"],
    "rotation": 0,
}
SPACES = [
    SPACE,
    space(slug="distant", db="db1", theme={"color": "#00679e", "slogan": None, "logo": None}),
    space(slug="asking", registration=True, office_servers={"collabora": SERVER}),
    space(slug="resting", status="suspended", hold=True),
]
LEFT_OUT: t.Any = {
    "slug": "skipped",
    "id": 70009,
    "web": "web1",
    "db": "web1",
    "domains": ["skipped.example.org"],
    "status": "suspended",
}
RUN = {"run": "1", "by": "us", "release": "34.0.4", "since": "2026-05-30T10:00:00"}
RELEASE = {"id": "34.0.4", "version": "34.0.4", "mariadb": {"min": "10.6"}}
SENT: list[tuple[types.ModuleType, dict[str, t.Any], t.Any]] = [
    (spaces_application_set, {}, _nextcloud_payloads.SpacesApplicationSet),
    (spaces_databases, {}, _payloads.SpacesDatabases),
    (spaces_drift, {"of": "database"}, _payloads.SpacesDrift),
    (spaces_files, {}, _payloads.SpacesFiles),
    (spaces_installations, {}, _nextcloud_payloads.SpacesInstallations),
    (spaces_invitations, {"only": "velo-ecole"}, _nextcloud_payloads.SpacesInvitations),
    (spaces_quotas, {}, _payloads.Quotas),
    (spaces_services, {}, _payloads.SpacesServices),
    (spaces_upgrade, {"run": RUN, "release": RELEASE}, _nextcloud_payloads.SpacesUpgrade),
    (
        spaces_upgrade,
        {"stage": "run", "slugs": ["velo-ecole"], "run": RUN, "release": RELEASE},
        _nextcloud_payloads.SpacesUpgrade,
    ),
]


@pytest.mark.parametrize(("module", "arguments", "kind"), SENT)
def test_a_payload_has_the_shape_of_its_type(
    module: types.ModuleType, arguments: dict[str, t.Any], kind: t.Any
):
    action = object.__new__(module.ActionModule)
    given = {"spaces": "archipel_spaces", "settings": {}, **arguments}
    action.options = _options.read(action.module, given, action.spec())
    action.variables = {}
    payload = action.desired(SPACES, context(offices=["collabora"]), [*SPACES, LEFT_OUT])
    assert differences(payload, kind) == []
    # On the node it comes out of JSON: lists for tuples, texts for pieces of PHP.
    assert differences(unpack(pack(payload)), kind) == []


@pytest.mark.parametrize(
    ("db", "previous", "further"),
    [
        ("db1", ["velo-ecole"], ["archipel_previous_velo-ecole"]),
        ("db1", [], []),
        ("db1", ["amap"], []),
        # There root restores it.
        ("web1", ["velo-ecole"], []),
    ],
)
def test_an_account_may_use_what_is_kept_aside_where_it_restores_it_itself(
    db: str, previous: list[str], further: list[str]
):
    action = object.__new__(spaces_databases.ActionModule)
    given = {"spaces": "archipel_spaces", "settings": {}, "previous": previous}
    action.options = _options.read(action.module, given, action.spec())
    (wanted,) = action.desired([space(db=db)], context(), [])["databases"]
    assert wanted["further"] == further


@pytest.mark.parametrize(
    ("web", "left", "hosts"),
    [
        ("web1", ["web2"], ["192.0.2.11"]),
        # It lives there: nobody takes its own account away.
        ("web1", ["web1"], []),
        ("web1", ["nobody-knows-it"], []),
        ("web1", [], []),
    ],
)
def test_accounts_of_a_node_that_is_lost_go(web: str, left: list[str], hosts: list[str]):
    action = object.__new__(spaces_databases.ActionModule)
    given = {"spaces": "archipel_spaces", "settings": {}, "left": left}
    action.options = _options.read(action.module, given, action.spec())
    known = {"web1": "192.0.2.10", "web2": "192.0.2.11"}
    there = {**context(), "database_client_hosts": known}
    (wanted,) = action.desired([space(web=web, db="db1")], there, [])["databases"]
    assert wanted["left"] == hosts


def test_the_samples_have_the_shapes_that_renderers_are_given():
    assert [one for entry in SPACES for one in differences(entry, SpaceEntry)] == []
    assert differences(SETTINGS, Context) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hold": 1}, ".hold: 1 is no <class 'bool'>"),
        ({"id": True}, ".id: True is no <class 'int'>"),
        ({"status": "gone"}, ".status: 'gone' is no "),
        ({"domains": "a.example"}, ".domains: 'a.example' is no list[str]"),
        ({"domains": [1]}, ".domains[0]: 1 is no"),
        ({"theme": {"color": None}}, ".theme.logo: missing"),
        ({"office_servers": {"collabora": {**SERVER, "x": 1}}}, ".office_servers.collabora.x: "),
        ({"hodl": True}, ".hodl: unknown"),
    ],
)
def test_what_has_another_shape_is_found(change: dict[str, t.Any], said: str):
    found = differences(space(**change), SpaceEntry)
    assert any(one.startswith(said) for one in found), found


def test_each_action_of_spaces_is_looked_at():
    here = {module.__name__.rpartition(".")[2] for module, _, _ in SENT}
    folder = Path(spaces_files.__file__).parent
    those = {path.stem for path in folder.glob("*.py") if "SpacesAction" in path.read_text()}
    assert here == those
