# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What only Nextcloud itself can be given: applications, context, theme, first administrator."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core._nextcloud_payloads import (
    Administrator,
    Applied,
    Apps,
    Installation,
    Invitation,
    Picture,
    Settings,
)
from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import ReachedDatabase
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _locales
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _applications,
    _render_copies,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_common import (
    GIGABYTE,
    RUNNING,
    find_layout,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_config import (
    list_managed,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_database import (
    find_host,
    plan_database,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_office import (
    configure_offices,
)


def render_theme(space: SpaceEntry) -> Settings:
    """Return a space's colour and slogan as Nextcloud's theming keeps them; null: its own."""
    wanted = space.get("theme") or {}
    color = wanted.get("color")
    # Nextcloud 29 and older read "color", newer ones "primary_color".
    return {"color": color, "primary_color": color, "slogan": wanted.get("slogan")}


def render_storage(space: SpaceEntry, context: Context) -> dict[str, Settings]:
    """Return what makes Nextcloud and its clients show a space's limit, and give room back.

    The limit holds without it. An account's own quota is the whole space's storage: desktop
    clients then show what is left of it, and Nextcloud the lesser of that and what the file
    system has left.
    """
    percent = context["retention"]["trash_percent"]
    trash = str(space["storage_gb"] * GIGABYTE * percent // 100) if percent else None
    return {
        "files": {"default_quota": f"{space['storage_gb']} GB"},
        "files_trashbin": {"trashbin_size": trash},
    }


def list_applications(context: Context) -> Apps:
    """Return the applications that are on and off in every space."""
    applications = context["applications"]
    return {
        "enable": list(applications.get("enabled", ())),
        "disable": list(applications.get("disabled", ())),
    }


def render_applied(space: SpaceEntry, context: Context) -> Applied:
    """Return what only Nextcloud itself takes, as `occ archipel:apply` takes it."""
    policy, everywhere = context["applied_state"], list_applications(context)
    registration = _applications.registration(space, context["registration"])
    wanted: Applied = {
        **policy,
        "apps": {
            "enable": [*everywhere["enable"], *registration["enable"]],
            "disable": [*everywhere["disable"], *registration["disable"]],
        },
        "app_config": _applications.merge_settings(
            policy["app_config"],
            context["applications"].get("settings", {}),
            registration["settings"],
            render_storage(space, context),
            configure_offices(space, context)[1],
            {"archipel": describe_space(space, context)},
        ),
        # Given, not imposed: the space's administrators may change their theme.
        "app_defaults": {
            "theming": {"name": space["name"], "url": space["url"], **render_theme(space)},
        },
        "logo": find_logo(space, context),
        "office": _applications.office(space, context["office_suites"], context["offices"]),
        "admin": describe_administrator(space, context),
        "invite_by_mail": bool(context["mail_relay"]),
    }
    return _render_copies.restrict(wanted, space, context)


def find_logo(space: SpaceEntry, context: Context) -> Picture | None:
    """Return where a space finds its logo on the node, and which one it is."""
    wanted = (space.get("theme") or {}).get("logo")
    if not wanted:
        return None
    return {"file": find_layout(space, context).logo, "sha256": wanted["sha256"]}


def describe_space(space: SpaceEntry, context: Context) -> Settings:
    """Return what the page "My space" shows and the warnings compare with."""
    return {
        "operator": dict(context["operator"]),
        "storage": space["storage_gb"] * GIGABYTE,
    }


def describe_administrator(space: SpaceEntry, context: Context) -> Administrator:
    """Return the first administrator of a space: who runs its accounts, never the server."""
    return {
        "uid": context["administrator"],
        "display_name": space["contact"]["name"],
        "email": space["contact"]["email"],
        "language": _locales.find_language(space["locale"]),
        "locale": _locales.find_formats(space["locale"]),
        "groups": ["members", "space-admins"],
        "subadmin_of": ["members"],
    }


def list_invitations(
    spaces: t.Iterable[SpaceEntry], context: Context, *, again: bool
) -> list[Invitation]:
    """Return what each space needs to know to invite its first administrator.

    Args:
        spaces: those that are to.
        context: the node and the policy.
        again: whether one who has logged in already is invited all the same.

    """
    return [
        {
            "space": space["slug"],
            "release": space["release"],
            "admin": describe_administrator(space, context),
            "by_mail": bool(context["mail_relay"]),
            "again": again,
        }
        for space in spaces
    ]


def list_installations(spaces: t.Iterable[SpaceEntry], context: Context) -> list[Installation]:
    """Return what the installer needs to know of each space."""
    rows: list[Installation] = []
    for space in spaces:
        account: ReachedDatabase = {
            **plan_database(space, context),
            "address": find_host(space, context),
        }
        rows.append(
            {
                "space": space["slug"],
                "id": space["id"],
                "running": space["status"] in RUNNING,
                "release": space["release"],
                "url": space["url"],
                "database": account,
                "applied": render_applied(space, context),
                # What all spaces have in common: a release's template is made of it.
                "template": {"apps": list_applications(context)},
                "logo": (space.get("theme") or {}).get("logo"),
                "managed": sorted(str(key) for key in list_managed(space, context)),
            }
        )
    return rows
