# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The names of a space's systemd units, derived from its slug; part of its layout."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Where systemd reads the units that roles write.
FOLDER = "/etc/systemd/system"
# Units of spaces and of nodes begin so.
PREFIXES = ("space-", "archipel-")
# As systemctl takes them: the units of all spaces that may be active, and of the node itself.
PATTERNS = (
    "space-php@*",
    "space-cron@*",
    "space-awake@*",
    "space-redis@*",
    "archipel-*.path",
    "archipel-*.timer",
)
PHP_SERVICES = "space-php@*.service"
UNIT = re.compile(r"space-[a-z]+@(?P<slug>.+)\.[a-z]+")
PHP_SOCKET = re.compile(r"space-php@.+\.socket")
# A unit file that is a space's own or all spaces', and what is beside it.
FILE = re.compile(r"(space-[a-z]+@)(.*)\.(?:service|socket|timer|target)(\.d)?")
# Beside the units of all spaces: who they are, and what they run.
OWN_DROPINS = frozenset({"10-sandbox.conf", "20-opcache.conf"})


@dataclass(frozen=True)
class Units:
    """The systemd units of a space."""

    slug: str

    @property
    def php_socket(self) -> str:
        """What wakes the PHP of a space: nginx connects to it."""
        return f"space-php@{self.slug}.socket"

    @property
    def php(self) -> str:
        """Its PHP."""
        return f"space-php@{self.slug}.service"

    @property
    def redis(self) -> str:
        """Its cache, which goes with the PHP and with each run of occ."""
        return f"space-redis@{self.slug}.service"

    @property
    def jobs(self) -> str:
        """A run of its background jobs."""
        return f"space-cron@{self.slug}.service"

    @property
    def jobs_timer(self) -> str:
        """What begins them in any case."""
        return f"space-cron@{self.slug}.timer"

    @property
    def awake_timer(self) -> str:
        """What begins them more often while it is awake."""
        return f"space-awake@{self.slug}.timer"

    @property
    def occ(self) -> str:
        """What a run of occ needs."""
        return f"space-occ@{self.slug}.target"

    @property
    def upgrade(self) -> str:
        """What runs occ while it is upgraded; not made of a template."""
        return f"archipel-upgrade-{self.slug}.service"

    @property
    def enabled(self) -> tuple[str, ...]:
        """Those that a running space consists of."""
        return self.php_socket, self.jobs_timer

    @property
    def waking(self) -> tuple[str, ...]:
        """Those that could start others."""
        return self.php_socket, self.jobs_timer, self.awake_timer

    @property
    def running(self) -> tuple[str, ...]:
        """Those in which something of it runs."""
        return self.jobs, self.php, self.occ, self.redis

    @property
    def kept_alive(self) -> tuple[str, ...]:
        """Those that systemd starts again, and gives up where they keep failing."""
        return self.redis, self.php

    @property
    def stopped(self) -> tuple[str, ...]:
        """Those that must not run for a space that does not: two of them go with the PHP."""
        return self.php_socket, self.jobs_timer, self.jobs, self.php, self.awake_timer, self.redis


def parse_slug(unit: str) -> str:
    """Return the slug in the name of a unit: space-php@velo-ecole.service → velo-ecole."""
    return unit.partition("@")[2].rpartition(".")[0]
