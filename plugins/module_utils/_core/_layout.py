# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The names and places of a space on a node, all derived from its slug, here and nowhere else.

Units, templates and nginx's snippet spell some of them a second time, in their own languages:
tests compare. Nothing else of ours is imported: whoever needs a name may import this.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.archipel.spaces.plugins.module_utils._core._unit_names import Units

# Names of unix users and database accounts, and of databases.
USER, DATABASE = "space-", "space_"
# Its state from before a restore, and a backup that is loaded to verify it; as they were called.
PREVIOUS_DATABASE, VERIFICATION_DATABASE = "archipel_previous_", "archipel_verification_"
FORMER_PREVIOUS_DATABASE, FORMER_VERIFICATION_DATABASE = "archipel_kept_", "archipel_proof_"
# nginx's server of the spaces' own domains.
OWN_DOMAINS = "/etc/nginx/conf.d/archipel-domains.conf"
# Where the role puts the authority of the mail relay; a space sees it.
MAIL_CA = "/etc/ssl/archipel-mail-relay.pem"
# Files that name all the spaces of a node.
DECLARATIONS = "archipel-spaces.conf"
# A digest of what Nextcloud was last given.
APPLIED = ".applied"
CONF, SOCKET, LETTER = ".conf", ".sock", ".eml"


@dataclass(frozen=True)
class Places:
    """The folders that spaces have something in; roles choose some of them."""

    root: str = "/srv/spaces"
    vhosts: str = "/etc/nginx/archipel"
    php: str = "/etc/archipel/php"
    php_sockets: str = "/run/archipel/php"
    redis: str = "/run/archipel/redis"
    hosts: str = "/var/lib/archipel/network/hosts"
    invitations: str = "/var/spool/archipel/invitations"
    # Files that close a space, for people and for jobs, and that hold all its units down.
    maintenance: str = "/var/lib/archipel/closed"
    standstill: str = "/var/lib/archipel/still"
    journals: str = "/var/lib/archipel/life"
    locks: str = "/run/archipel"
    # When PHP services were last asked to read their configuration.
    reloads: str = "/run/archipel/reloaded"
    upgrade: str = "/var/lib/archipel/upgrade"
    upgrade_logs: str = "/var/log/archipel/upgrade"
    backup: str = "/var/lib/archipel/backup"
    export: str = "/var/lib/archipel/export"
    # Keys, while spaces move.
    move: str = "/run/archipel/move/spaces"
    # Options of database clients, with a password in them, while an installation runs.
    clients: str = "/run/archipel/clients"

    def handing_over(self) -> Places:
        """The same with the folder for exports that associations start themselves."""
        return replace(self, export=handover_spool(self.root))


@dataclass(frozen=True)
class Layout:
    """What one space has on a node."""

    slug: str
    places: Places = field(default_factory=Places)

    @property
    def units(self) -> Units:
        """Its systemd units."""
        return Units(self.slug)

    @property
    def user(self) -> str:
        """Its unix user and group, and its account at the database."""
        return USER + self.slug

    @property
    def database(self) -> str:
        """Its database."""
        return DATABASE + self.slug

    @property
    def previous_database(self) -> str:
        """Where its tables from before a restore are."""
        return PREVIOUS_DATABASE + self.slug

    @property
    def former_previous_database(self) -> str:
        """The same, as it was called."""
        return FORMER_PREVIOUS_DATABASE + self.slug

    @property
    def verification_database(self) -> str:
        """Where one of its backups is loaded, to verify it."""
        return VERIFICATION_DATABASE + self.slug

    @property
    def home(self) -> str:
        """Its folder."""
        return f"{self.places.root}/{self.slug}"

    @property
    def release(self) -> str:
        """The link to the release that it runs."""
        return f"{self.home}/release"

    @property
    def config(self) -> str:
        """The folder of its configuration."""
        return f"{self.home}/config"

    @property
    def config_file(self) -> str:
        """The state file that Nextcloud writes itself."""
        return f"{self.config}/config.php"

    @property
    def managed_config(self) -> str:
        """The part of its configuration that is the operator's."""
        return f"{self.config}/managed.config.php"

    @property
    def maintenance_config(self) -> str:
        """What turns people and jobs away in Nextcloud while it is upgraded."""
        return f"{self.config}/closed.config.php"

    @property
    def data(self) -> str:
        """What people store."""
        return f"{self.home}/data"

    @property
    def temporary(self) -> str:
        """What PHP keeps of uploads for a while."""
        return f"{self.home}/tmp"

    @property
    def sessions(self) -> str:
        """Sessions of those who are logged in."""
        return f"{self.home}/sessions"

    @property
    def log(self) -> str:
        """The folder of Nextcloud's log."""
        return f"{self.home}/log"

    @property
    def log_file(self) -> str:
        """Nextcloud's log."""
        return f"{self.log}/nextcloud.log"

    @property
    def logo(self) -> str:
        """The picture that the registry gives it."""
        return f"{self.home}/logo"

    @property
    def applied(self) -> str:
        """A digest of what its Nextcloud was last given."""
        return f"{self.home}/{APPLIED}"

    # --- beside it -----------------------------------------------------------------

    @property
    def previous(self) -> str:
        """Its files from before a restore."""
        return f"{self.places.root}/.previous-{self.slug}"

    @property
    def former_previous(self) -> str:
        """The same, as it was called."""
        return f"{self.places.root}/.kept-{self.slug}"

    @property
    def restoring(self) -> str:
        """Where a backup is unpacked."""
        return f"{self.places.root}/.restore-{self.slug}"

    @property
    def arriving(self) -> str:
        """Where it arrives from another node."""
        return f"{self.places.root}/.arriving-{self.slug}"

    @property
    def left(self) -> str:
        """What stays here of one that has moved to another node, until that is confirmed."""
        return f"{self.places.root}/.left-{self.slug}"

    @property
    def move(self) -> str:
        """With which key this node fetches it from another one, or whose may fetch it here."""
        return f"{self.places.move}/{self.slug}"

    # --- configuration and sockets ---------------------------------------------------

    @property
    def vhost(self) -> str:
        """Its entries in nginx's map."""
        return f"{self.places.vhosts}/{self.slug}{CONF}"

    @property
    def php(self) -> str:
        """The configuration of its PHP."""
        return f"{self.places.php}/{self.slug}{CONF}"

    @property
    def php_socket(self) -> str:
        """Where nginx reaches its PHP."""
        return f"{self.places.php_sockets}/{self.slug}{SOCKET}"

    @property
    def redis(self) -> str:
        """The folder of its Redis."""
        return f"{self.places.redis}/{self.slug}"

    @property
    def redis_socket(self) -> str:
        """Where it reaches its Redis."""
        return f"{self.redis}/redis.sock"

    @property
    def hosts(self) -> str:
        """Its /etc/hosts: which names lead to itself."""
        return f"{self.places.hosts}/{self.slug}"

    @property
    def reload(self) -> str:
        """When its PHP was last asked to read its configuration."""
        return f"{self.places.reloads}/{self.units.php}"

    # --- what is done to it ----------------------------------------------------------

    @property
    def invitation(self) -> str:
        """The letter to its first administrator, where no relay takes it."""
        return f"{self.places.invitations}/{self.slug}{LETTER}"

    @property
    def maintenance(self) -> str:
        """While it is there, people and jobs are turned away."""
        return f"{self.places.maintenance}/{self.slug}"

    def maintenance_pass(self, key: str) -> str:
        """Return the file that lets the check of an upgrade in, which knows a key."""
        return f"{self.maintenance}.{key}"

    @property
    def standstill(self) -> str:
        """While it is there, none of its units starts."""
        return f"{self.places.standstill}/{self.slug}"

    @property
    def journal(self) -> str:
        """What is under way for it."""
        return f"{self.places.journals}/{self.slug}.json"

    @property
    def lock_name(self) -> str:
        """The lock that whoever changes it as a whole holds."""
        return f"life-{self.slug}"

    @property
    def lock(self) -> str:
        """The file of that lock."""
        return f"{self.places.locks}/{self.lock_name}.lock"

    @property
    def upgrade(self) -> str:
        """What an upgrade keeps: its restore point, and what came of it."""
        return f"{self.places.upgrade}/{self.slug}"

    @property
    def upgrade_client(self) -> str:
        """Options of an upgrade's database clients, with a password."""
        return f"{self.upgrade}/client.cnf"

    @property
    def upgrade_log(self) -> str:
        """What upgrades did."""
        return f"{self.places.upgrade_logs}/{self.slug}.log"

    @property
    def installation_client(self) -> str:
        """Options of an installation's database clients, with a password."""
        return f"{self.places.clients}/{self.slug}.cnf"

    @property
    def backup_client(self) -> str:
        """Options of a backup's database clients, with a password."""
        return f"{self.places.backup}/clients/{self.slug}.cnf"

    @property
    def backup_staging(self) -> str:
        """Where its dump is put for the time of a backup."""
        return f"{self.places.backup}/staging/{self.slug}"

    @property
    def export_note(self) -> str:
        """What an archive of it holds."""
        return f"{self.places.export}/{self.slug}.json"

    @property
    def export_archive(self) -> str:
        """An archive of it, for those who move away."""
        return f"{self.places.export}/{self.slug}.tar.gz"

    @property
    def export_dump(self) -> str:
        """Its database, on the way into an archive."""
        return f"{self.places.export}/{self.slug}.sql"

    @property
    def exports(self) -> tuple[str, ...]:
        """Everything that an export may leave."""
        archive = self.export_archive
        return self.export_note, archive, f"{archive}.part", self.export_dump

    @property
    def handover_request(self) -> str:
        """While it is there, the space asks for an export."""
        return f"{self.temporary}/export-wanted"

    @property
    def handover_archive(self) -> str:
        """The export that its association fetches, in a folder that the space cannot change."""
        return f"{self.home}/export/export.tar.gz"

    # --- as a whole ------------------------------------------------------------------

    @property
    def owned(self) -> tuple[str, ...]:
        """All files and folders that are this space's alone, as patterns; its data come last.

        Those that guard whoever removes them are not among them: `guards`.
        """
        return (
            self.vhost,
            self.php,
            self.invitation,
            self.hosts,
            self.redis,
            self.php_socket,
            self.reload,
            self.installation_client,
            self.backup_client,
            self.backup_staging,
            self.upgrade,
            # Where it was before: a space called clients would have had everybody's.
            f"{self.places.upgrade}/clients/{self.slug}.cnf",
            # A journal that was being written when its run was killed.
            f"{self.journal}.new",
            f"{self.export_note}.new",
            self.maintenance,
            # A slug has no dot.
            self.maintenance_pass("*"),
            self.upgrade_log,
            *self.exports,
            *replace(self, places=self.places.handing_over()).exports,
            self.restoring,
            self.previous,
            self.former_previous,
            self.move,
            self.arriving,
            self.left,
            self.home,
        )

    @property
    def guards(self) -> tuple[str, ...]:
        """What holds a space down, and everybody else off it, while something is done to it."""
        return self.standstill, self.journal, self.lock

    @property
    def declarations(self) -> re.Pattern[str]:
        """Its lines in the files for systemd-sysusers and systemd-tmpfiles.

        A slug may be the name of a folder that every space has: the whole path counts.
        """
        starts = (f"u {self.user}", f"d {self.home}", f"d {self.redis}")
        return re.compile(rf"^(?:{'|'.join(map(re.escape, starts))})(?=[ /])")


def handover_spool(root: str) -> str:
    """Where exports that associations start are written, on the disk of the spaces."""
    return f"{root}/.exports"


def under(root: str, slug: str) -> Layout:
    """Return the names and places of a space whose folder is below another root."""
    return Layout(slug, Places(root=root))


def parse_slugs(names: t.Iterable[str], prefix: str) -> set[str]:
    """Return the slugs in names of users, accounts (`USER`) or databases (`DATABASE`)."""
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
