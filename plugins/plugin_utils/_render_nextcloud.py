# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What only Nextcloud itself can be given: applications, settings, theme, first administrator."""

from __future__ import annotations

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils import _applications, _locales
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_common import (
    GIGABYTE,
    RUNNING,
    Settings,
    Space,
    layout_of,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_config import managed_config
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_database import (
    database,
    database_host,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_office import office_wiring


def theme(space: Space) -> dict[str, t.Any]:
    """Return a space's colour and slogan as Nextcloud's theming keeps them; null: its own."""
    wanted = space.get("theme") or {}
    color = wanted.get("color")
    # Nextcloud 29 and older read "color", newer ones "primary_color".
    return {"color": color, "primary_color": color, "slogan": wanted.get("slogan")}


def storage_config(space: Space, settings: Settings) -> dict[str, dict[str, t.Any]]:
    """Return what makes Nextcloud and its clients show a space's limit, and give room back.

    The limit holds without it. An account's own quota is the whole space's storage: desktop
    clients then show what is left of it, and Nextcloud the lesser of that and what the file
    system has left.
    """
    percent = settings["retention"]["trash_percent"]
    trash = str(space["storage_gb"] * GIGABYTE * percent // 100) if percent else None
    return {
        "files": {"default_quota": f"{space['storage_gb']} GB"},
        "files_trashbin": {"trashbin_size": trash},
    }


def application_set(settings: Settings) -> dict[str, list[str]]:
    """Return the applications that are on and off in every space."""
    applications = settings["applications"]
    return {
        "enable": list(applications.get("enabled", ())),
        "disable": list(applications.get("disabled", ())),
    }


def applied_state(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return what only Nextcloud itself takes, as `occ archipel:apply` takes it."""
    policy, everywhere = settings["applied_state"], application_set(settings)
    registration = _applications.registration(space, settings["registration"])
    return {
        **policy,
        "apps": {
            "enable": [*everywhere["enable"], *registration["enable"]],
            "disable": [*everywhere["disable"], *registration["disable"]],
        },
        "app_config": _applications.merged(
            policy["app_config"],
            settings["applications"].get("settings", {}),
            registration["settings"],
            storage_config(space, settings),
            office_wiring(space, settings)[1],
            {"archipel": about(space, settings)},
        ),
        # Given, not imposed: the space's administrators may change their theme.
        "app_defaults": {
            "theming": {"name": space["name"], "url": space["url"], **theme(space)},
        },
        "logo": logo(space, settings),
        "office": _applications.office(space, settings["office_suites"], settings["offices"]),
        "admin": administrator(space, settings),
        "invite_by_mail": bool(settings["mail_relay"]),
    }


def logo(space: Space, settings: Settings) -> dict[str, str] | None:
    """Return where a space finds its logo on the node, and which one it is."""
    wanted = (space.get("theme") or {}).get("logo")
    if not wanted:
        return None
    return {"file": layout_of(space, settings).logo, "sha256": wanted["sha256"]}


def about(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return what the page "My space" shows and the warnings compare with."""
    return {
        "operator": dict(settings["operator"]),
        "storage": space["storage_gb"] * GIGABYTE,
    }


def administrator(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return the first administrator of a space: who runs its accounts, never the server."""
    return {
        "uid": settings["administrator"],
        "display_name": space["contact"]["name"],
        "email": space["contact"]["email"],
        "language": _locales.find_language(space["locale"]),
        "locale": _locales.find_formats(space["locale"]),
        "groups": ["members", "space-admins"],
        "subadmin_of": ["members"],
    }


def invitations(
    spaces: t.Iterable[Space], settings: Settings, *, again: bool
) -> list[dict[str, t.Any]]:
    """Return what each space needs to know to invite its first administrator.

    Args:
        spaces: those that are to.
        settings: the node and the policy.
        again: whether one who has logged in already is invited all the same.

    """
    return [
        {
            "space": space["slug"],
            "release": space["release"],
            "admin": administrator(space, settings),
            "by_mail": bool(settings["mail_relay"]),
            "again": again,
        }
        for space in spaces
    ]


def installations(spaces: t.Iterable[Space], settings: Settings) -> list[dict[str, t.Any]]:
    """Return what the installer needs to know of each space."""
    rows = []
    for space in spaces:
        account = {**database(space, settings), "address": database_host(space, settings)}
        rows.append(
            {
                "space": space["slug"],
                "id": space["id"],
                "running": space["status"] in RUNNING,
                "release": space["release"],
                "url": space["url"],
                "database": account,
                "applied": applied_state(space, settings),
                # What all spaces have in common: a release's template is made of it.
                "template": {"apps": application_set(settings)},
                "logo": (space.get("theme") or {}).get("logo"),
                "managed": sorted(str(key) for key in managed_config(space, settings)),
            }
        )
    return rows
