# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the operator imposes in a space's config.php."""

from __future__ import annotations

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _locales
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_copies as _copies,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_common import (
    MANAGED,
    find_layout,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import (
    Context,
    Relay,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_database import (
    configure_database,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_office import (
    configure_offices,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_php import (
    Expression,
    PhpValues,
    format_key,
    format_literal,
)

# Languages in which new accounts find a first file: folders of the application archipel.
SKELETONS = ("en", "fr")


def list_managed(space: SpaceEntry, context: Context) -> PhpValues:
    """Return every key of a space's configuration that belongs to the operator.

    What follows from the space wins over what the policy says for all.
    """
    return {
        **context["nextcloud_config"],
        **configure_place(space, context),
        **configure_database(space, context),
        **configure_people(space, context),
        **configure_cache(space, context),
        **configure_mail(_copies.find_relay(space, context), space),
        **configure_offices(space, context)[0],
        **_copies.configure(space, context),
    }


def choose_skeleton(space: SpaceEntry) -> Expression:
    """Return where the first files of new accounts are, in the space's language."""
    language = _locales.find_language(space["locale"]).partition("_")[0]
    folder = language if language in SKELETONS else SKELETONS[0]
    return Expression(f"OC::$SERVERROOT . '/apps-extra/archipel/skeleton/{folder}'")


def configure_place(space: SpaceEntry, context: Context) -> PhpValues:
    """Return where a space's files and applications are."""
    layout = find_layout(space, context)
    return {
        "datadirectory": layout.data,
        "tempdirectory": layout.temporary,
        "logfile": layout.log_file,
        "skeletondirectory": choose_skeleton(space),
        "serverid": space["id"] % 512,
        # Nextcloud sets the mode of each file by its own mask, not by the process's.
        "localstorage.umask": 0o027,
        # The release's own: no application is ever put into a space.
        "apps_paths": [
            {"path": Expression(f"OC::$SERVERROOT . '{folder}'"), "url": folder, "writable": False}
            for folder in ("/apps", "/apps-extra")
        ],
    }


def configure_people(space: SpaceEntry, context: Context) -> PhpValues:
    """Return what the people of a space meet: names, language, limits, retention."""
    days = context["retention"]
    return {
        "trusted_domains": list(space["domains"]),
        "overwriteprotocol": "https",
        "overwrite.cli.url": space["url"],
        "default_language": _locales.find_language(space["locale"]),
        "default_locale": _locales.find_formats(space["locale"]),
        "default_phone_region": space["phone_region"],
        "default_timezone": space["timezone"],
        "one-click-instance": True,
        "one-click-instance.user-limit": space["accounts"],
        "trashbin_retention_obligation": f"auto, {days['trash_days']}",
        "versions_retention_obligation": f"auto, {days['versions_days']}",
    }


def configure_cache(space: SpaceEntry, context: Context) -> PhpValues:
    """Return the caches: one of the PHP service, one of the space."""
    socket = find_layout(space, context).redis_socket
    return {
        "memcache.local": "\\OC\\Memcache\\APCu",
        "memcache.distributed": "\\OC\\Memcache\\Redis",
        "memcache.locking": "\\OC\\Memcache\\Redis",
        "redis": {"host": socket, "port": 0, "timeout": 1.5},
    }


def configure_mail(relay: Relay, space: SpaceEntry) -> PhpValues:
    """Return the keys of outgoing mail; without a relay nothing is ever sent."""
    if not relay:
        return {"mail_smtpmode": "null"}
    # Each space may have an address of its own: the operator's {slug}@spaces.example.org.
    sender = str(relay["from"]).replace("{slug}", space["slug"])
    local, _, domain = sender.partition("@")
    config: PhpValues = {
        "mail_smtpmode": "smtp",
        "mail_smtphost": relay["host"],
        "mail_smtpport": relay.get("port", 25),
        "mail_smtpsecure": relay.get("secure", ""),
        "mail_from_address": local,
        "mail_domain": domain,
    }
    if options := configure_mail_tls(relay):
        config["mail_smtpstreamoptions"] = {"ssl": options}
    if relay.get("user"):
        config |= {
            "mail_smtpauth": True,
            "mail_smtpname": relay["user"],
            "mail_smtppassword": relay["password"],
        }
    return config


def configure_mail_tls(relay: Relay) -> PhpValues:
    """Return how the relay's certificate is looked at, where that is not as usual.

    Nextcloud takes STARTTLS wherever it is offered, and has no setting against it: a relay with a
    certificate of its own is reached by naming its authority, its name, or by not looking.
    """
    options: PhpValues = {}
    if relay.get("ca"):
        options["cafile"] = _layout.MAIL_CA
    if relay.get("certificate_name"):
        options["peer_name"] = relay["certificate_name"]
    if not relay.get("verify", True):
        options |= {"verify_peer": False, "verify_peer_name": False, "allow_self_signed": True}
    return options


def render_managed(space: SpaceEntry, context: Context) -> str:
    """Return the text of a space's managed.config.php."""
    rows = list_managed(space, context).items()
    body = "".join(f"  {format_key(key)} => {format_literal(value, 1)},\n" for key, value in rows)
    return f"<?php\n\n// {MANAGED}\n$CONFIG = [\n{body}];\n"
