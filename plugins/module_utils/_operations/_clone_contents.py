# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a copy of a space keeps of it and what it does not: rows of its database, keys of its state.

The instance id and the secret are new. With the secret goes all that Nextcloud encrypts with it, or
makes keys from it: sessions, application passwords, passwords of other services. A row that is
encrypted with another secret is not just of no use: reading some of them is an error, so they go.
The password salt stays: very old passwords are checked with it, and it opens nothing by itself.

Second factors stay as they are. The codes of an application do not fit any more; if they were
removed, a copy would be easier to open than the space itself.

Names of tables and columns were read in Nextcloud 29 to 33; tables that are not there are passed
over.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config
from ansible_collections.archipel.spaces.plugins.module_utils._sql._database import text
from ansible_collections.archipel.spaces.plugins.module_utils._sql._mariadb import quote

PREFIX = re.compile(r"[A-Za-z0-9_]{0,32}")
INSTANCE = re.compile(r"[a-z0-9]{1,32}")
# Values of settings that are encrypted with the secret begin so.
ENCRYPTED = ("appconfig", "$AppConfigEncryption$"), ("preferences", "$UserConfigEncryption$")

# Tables that a copy has empty, without their prefix.
EMPTIED = (
    # Who is logged in, and with what: made from the secret. Tokens of office servers too.
    *("authtoken", "login_flow_v2", "oauth2_access_tokens", "twofactor_tnn_tokens"),
    *("direct_edit", "directlink", "richdocuments_direct", "richdocuments_wopi"),
    # Telephones that are woken by push services, and letters that wait.
    *("notifications_pushhash", "notifications_pushtokens", "notifications_webpush"),
    "activity_mq",
    # Shares with other servers, and what waits to be told them.
    *("share_external", "federated_reshares", "trusted_servers", "calendars_federated"),
    *("circles_remote", "talk_invitations", "talk_retry_ocm", "talk_proxy_messages"),
    # Programs elsewhere that hear of what happens.
    *("webhook_listeners", "webhook_tokens", "talk_bots_server", "talk_bots_conversation"),
    "talk_bridges",
    # Disks and mailboxes elsewhere, with the passwords for them.
    *("external_mounts", "external_config", "external_options", "external_applicable"),
    *("storages_credentials", "mail_accounts", "mail_provisionings", "mail_smime_certificates"),
    # Applications in containers, and where accounts come from.
    *("ex_apps_daemons", "user_oidc_providers", "user_oidc_sessions", "user_oidc_id4me"),
)
# Rows that a copy has not, table → condition.
REMOVED: t.Mapping[str, str] = {
    # Shares given to people and groups of other servers (IShare::TYPE_REMOTE, _REMOTE_GROUP).
    "share": "share_type IN (6, 9)",
    "talk_attendees": "actor_type = 'federated_users'",
    # What was to be told to somebody else once, and waits for its turn.
    "jobs": "class LIKE '%FederatedFileSharing%RetryJob' OR class LIKE '%LookupServerConnector%' "
    "OR class LIKE '%WebhookCall' OR class LIKE '%VerifyUserData' OR class LIKE '%OCM%' "
    "OR class LIKE '%CalendarFederation%'",
    **{table: f"configvalue LIKE {text(mark + '%')}" for table, mark in ENCRYPTED},
}
# Keys of the state file that a copy has not: where files, mail and requests go.
UNWANTED = frozenset(
    {"maintenance", "objectstore", "objectstore_multibucket", "proxy", "proxyuserpwd"}
    | {f"mail_{key}" for key in ("smtpmode", "smtphost", "smtpname", "smtppassword", "smtpauth")}
)


class UnfitError(Exception):
    """A space cannot be copied this way."""


def prefix_of(config: str) -> str:
    """Return what the names of a space's tables begin with. Pure.

    Args:
        config: text of its config.php.

    Raises:
        UnfitError: it is no name.

    """
    found = _config.text_of(config, "dbtableprefix")
    if "dbtableprefix" not in _config.keys(config):
        found = "oc_"
    if not PREFIX.fullmatch(found):
        raise UnfitError(f"its config.php has the dbtableprefix {found!r}; allowed: letters, _")
    return found


def instance_of(config: str) -> str:
    """Return the instance id of a space. Pure.

    Raises:
        UnfitError: there is none.

    """
    found = _config.text_of(config, "instanceid")
    if not INSTANCE.fullmatch(found):
        raise UnfitError(f"its config.php has the instanceid {found!r}; allowed: letters, digits")
    return found


def check_config(config: str) -> None:
    """Refuse a space whose files are elsewhere. Pure.

    Raises:
        UnfitError: they are.

    """
    there = sorted({"objectstore", "objectstore_multibucket"} & _config.keys(config))
    if there:
        raise UnfitError(
            f"its config.php has {there[0]}: its files are in an object store, and a copy would "
            "write into the same one"
        )


def with_own_identity(config: str, instance: str, secret: str) -> str:
    """Return a state file with another identity, less what leads elsewhere. Pure.

    Args:
        config: of the space.
        instance: id of the copy.
        secret: of the copy.

    Raises:
        UnfitError: it is no state file.

    """
    own = _config.without(config, set(UNWANTED))
    found = _config.with_text(_config.with_text(own, "instanceid", instance), "secret", secret)
    if (_config.text_of(found, "instanceid"), _config.text_of(found, "secret")) != (
        instance,
        secret,
    ):
        raise UnfitError("its config.php is not as Nextcloud writes it: it has no end")
    return found


def statements(tables: t.Iterable[str], prefix: str, before: str, instance: str) -> list[str]:
    """Return what makes a loaded database that of a copy; all can be repeated. Pure.

    Args:
        tables: that are there.
        prefix: of their names.
        before: instance id of the space.
        instance: id of the copy.

    """
    there = set(tables)
    found = [f"DELETE FROM {quote(prefix + one)}" for one in EMPTIED if prefix + one in there]
    found += [
        f"DELETE FROM {quote(prefix + table)} WHERE {condition}"
        for table, condition in REMOVED.items()
        if prefix + table in there
    ]
    if prefix + "filecache" in there:
        found.append(rename_appdata(prefix, f"appdata_{before}", f"appdata_{instance}"))
    return found


def rename_appdata(prefix: str, before: str, after: str) -> str:
    """Return how the folder of all applications gets the name that goes with the instance id. Pure.

    Names and checksums are assigned from the same expression: the order of assignments does not
    matter then.
    """
    path = f"CONCAT({text(after)}, SUBSTRING(path, {len(before) + 1}))"
    pattern = text(before.replace("_", "\\_") + "/%")
    return (
        f"UPDATE {quote(prefix + 'filecache')} SET path_hash = MD5({path}), "
        f"name = IF(path = {text(before)}, {text(after)}, name), path = {path} "
        f"WHERE path = {text(before)} OR path LIKE {pattern}"
    )
