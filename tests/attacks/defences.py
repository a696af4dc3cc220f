# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The defences, by name, and how each is taken away, to see that it is the one that holds."""

from __future__ import annotations

from tests.attacks.model import OCC, WEB, Defence

OTHER = "/srv/spaces/repair-cafe-brest"
COMMON = "roles/spaces/templates/etc/archipel/sandbox/common.conf.j2"
SPACE = "roles/spaces/templates/etc/archipel/sandbox/space.conf.j2"
# The sandbox is in as many files as there are ways: that of occ, and those of the units.
SANDBOX = "/etc/archipel/sandbox/space.conf /etc/systemd/system/space-*@.service.d/10-sandbox.conf"
OPCACHE = "/etc/systemd/system/space-*@.service.d/20-opcache.conf"
UNITS = "/etc/systemd/system/space-php@.service /etc/systemd/system/space-cron@.service"
RELOAD = "systemctl daemon-reload; systemctl stop 'space-php@*.service' 2>/dev/null || :"


def directive(line: str, where: str = COMMON, shown: str = "") -> Defence:
    """A line of the sandbox, or all lines of a directive."""
    pattern = line if "=" in line else f"{line}=.*"
    return Defence(shown or line, where, edits=((SANDBOX, f"^{pattern}$", ""),), apply=RELOAD)


def part(line: str, word: str, shown: str = "") -> Defence:
    """A word of a line of the sandbox."""
    found = (SANDBOX, f"^({line}=.*?)(?<=[= ]){word}(?= |$)", r"\1")
    return Defence(shown or f"{line}={word}", COMMON, edits=(found,), apply=RELOAD)


def hidden(folder: str, options: str = ":ro") -> Defence:
    """A folder of the node that is not mounted."""
    return part("TemporaryFileSystem", f"{folder}{options}", f"TemporaryFileSystem={folder}")


def unreadable(path: str) -> Defence:
    """A path of the node that is covered."""
    return part("InaccessiblePaths", f"-{path}", f"InaccessiblePaths={path}")


def modes(stands: str, where: str, paths: str, open_to: str = "o+rwX") -> Defence:
    """Modes of files, opened to everybody and put back as they were."""
    kept = "/run/attacks-modes"
    remember = f"stat --format='%a %n' {paths} > {kept}.$$; cat {kept}.$$ >> {kept}; rm {kept}.$$"
    return Defence(
        stands,
        where,
        remove=f"{remember}; chmod {open_to} {paths}",
        restore=f"tac {kept} | while read -r mode path; do chmod $mode $path; done; rm -f {kept}",
    )


def grant(stands: str, privilege: str) -> Defence:
    """A privilege that a space's account has not."""
    account = "`space-velo-ecole`@localhost"
    return Defence(
        stands,
        "plugins/plugin_utils/_render/_render_database.py",
        remove=f"mariadb -e 'GRANT {privilege} TO {account}'",
        restore=f"mariadb -e 'REVOKE {privilege} FROM {account}'",
    )


def slices(name: str) -> Defence:
    """A line of the slices, which the kernel is told when a slice begins."""
    files = "/etc/systemd/system/archipel-web.slice /etc/systemd/system/archipel-jobs-spaces.slice"
    anew = "systemctl stop archipel-web.slice archipel-jobs-spaces.slice; systemctl start"
    redis = "space-redis@velo-ecole.service space-redis@repair-cafe-brest.service"
    known = "systemctl start archipel-network.service"
    return Defence(
        name,
        "roles/spaces/templates/etc/systemd/system/network-filter.conf.j2",
        edits=((files, f"^{name}=.*$", ""),),
        apply=f"systemctl daemon-reload; {anew} {redis} || :; {known}",
    )


FOLDERS = "plugins/module_utils/_core/_layout.py"
SPACES_FILES = f"{OTHER} {OTHER}/config {OTHER}/data {OTHER}/sessions {OTHER}/tmp"
# What would put a rule that is gone back at once.
KEEPERS = "archipel-network.timer archipel-network.path"
NFT = "roles/spaces/files/network.py"
SNIPPET = "roles/spaces/templates/etc/nginx/snippets/archipel-space.conf.j2"
RENDERED = "/etc/nginx/snippets/archipel-space.conf"
NGINX = "systemctl reload nginx; sleep 1"
PHP_POOL = "roles/spaces/templates/space/php.conf.j2"
# That the kernel sets NoNewPrivileges for it follows from each of these, too.
IMPLIED = (
    "^(NoNewPrivileges|PrivateDevices|ProtectKernel(Tunables|Modules|Logs)|ProtectClock|ProtectHostname"
    "|LockPersonality|RestrictNamespaces|RestrictRealtime|RestrictSUIDSGID|RestrictAddressFamilies"
    "|SystemCall(Architectures|Filter)|SystemCallErrorNumber|DynamicUser)=.*$"
)

DEFENCES: dict[str, Defence] = {
    # --- what is mounted ----------------------------------------------------------------------
    "spaces hidden": hidden("/srv"),
    "run hidden": hidden("/run"),
    "var hidden": hidden("/var"),
    "root hidden": hidden("/root"),
    "home protected": directive("ProtectHome"),
    "settings hidden": hidden("/etc/archipel", ":ro,mode=0755"),
    "own shared memory": directive(
        "TemporaryFileSystem=/dev/shm.*", shown="TemporaryFileSystem=/dev/shm"
    ),
    "own passwd": directive(
        "BindReadOnlyPaths=/etc/archipel/sandbox/passwd:/etc/passwd",
        shown="BindReadOnlyPaths=…:/etc/passwd",
    ),
    "own group": directive(
        "BindReadOnlyPaths=/etc/archipel/sandbox/group:/etc/group",
        shown="BindReadOnlyPaths=…:/etc/group",
    ),
    "no nginx": unreadable("/etc/nginx"),
    "no sysusers": unreadable("/etc/sysusers.d"),
    "no tmpfiles": unreadable("/etc/tmpfiles.d"),
    "no units": unreadable("/etc/systemd"),
    "no shadow": unreadable("/etc/shadow"),
    "no gshadow": unreadable("/etc/gshadow"),
    "no keys": unreadable("/etc/ssl/private"),
    "no old passwd": unreadable("/etc/passwd-"),
    "no old group": unreadable("/etc/group-"),
    "no control groups": unreadable("/sys/fs/cgroup"),
    "own tmp": directive("PrivateTmp"),
    "own devices": directive("PrivateDevices"),
    "read-only system": directive("ProtectSystem"),
    "read-only configuration": Defence(
        "ReadOnlyPaths=…/config",
        "roles/spaces/templates/etc/systemd/system/space-php@.service.j2",
        edits=((UNITS, "^ReadOnlyPaths=.*$", ""),),
        apply=RELOAD,
    ),
    # --- processes and the kernel -------------------------------------------------------------
    "processes hidden": directive("ProtectProc"),
    "kernel's numbers hidden": directive("ProcSubset"),
    "own IPC": directive("PrivateIPC"),
    "no new privileges": Defence(
        "`NoNewPrivileges` and the filters that imply it",
        COMMON,
        edits=((SANDBOX, IMPLIED, ""),),
        apply=RELOAD,
    ),
    "own user namespace": directive("PrivateUsers"),
    "no namespaces": directive("RestrictNamespaces"),
    "one personality": directive("LockPersonality"),
    "no setuid": directive("RestrictSUIDSGID"),
    "families of addresses": directive("RestrictAddressFamilies"),
    "calls filtered": directive("SystemCall(Filter|ErrorNumber)=.*", shown="SystemCallFilter"),
    "no core": directive("LimitCORE"),
    "no core by default": Defence(
        "DefaultLimitCORE",
        "roles/common/templates/etc/systemd/system.conf.d/archipel.conf.j2",
        edits=(("/etc/systemd/system.conf.d/archipel.conf", "^DefaultLimitCORE=.*$", ""),),
        apply="systemctl daemon-reexec",
    ),
    "one unix user each": Defence(
        "User=space-%i",
        COMMON,
        edits=((SANDBOX, "^(User|Group)=space-%i$", r"\1=space-repair-cafe-brest"),),
        apply="systemctl daemon-reload",
        # FPM's and the jobs' own files would be another's too.
        ways=(OCC,),
    ),
    # --- who owns what ------------------------------------------------------------------------
    "modes of a space": modes(
        "modes of a space's folders and files",
        FOLDERS,
        f"{SPACES_FILES} {OTHER}/config/config.php {OTHER}/data/attacked {OTHER}/sessions/attacked"
        f" {OTHER}/tmp/attacked",
    ),
    "sockets' folder": modes(
        "mode 0750 of `/run/archipel/php`",
        "roles/spaces/vars/main.yml",
        "/run/archipel/php",
    ),
    "Redis' modes": modes(
        "modes of a Redis' folder and socket",
        "roles/spaces/templates/etc/systemd/system/space-redis@.service.j2",
        "/run/archipel/redis/repair-cafe-brest /run/archipel/redis/repair-cafe-brest/redis.sock",
    ),
    "releases are root's": modes(
        "releases are root's",
        "plugins/modules/nextcloud_release.py",
        "/srv/nextcloud/releases/*/index.php /srv/nextcloud/releases/*/",
    ),
    "compiled code is root's": modes(
        "compiled code is root's",
        "plugins/modules/nextcloud_opcache.py",
        "/srv/nextcloud/opcache/*/",
    ),
    "compiled code read-only": Defence(
        "BindReadOnlyPaths=…/opcache",
        "plugins/modules/nextcloud_opcache.py",
        edits=((OPCACHE, "^BindReadOnlyPaths=", "BindPaths="),),
        apply=RELOAD,
    ),
    "read-only releases": directive("BindReadOnlyPaths=/srv/nextcloud/releases", SPACE),
    "sticky configuration": modes(
        "mode 1770 of its folder `config`",
        FOLDERS,
        "/srv/spaces/velo-ecole/config",
        "-t",
    ),
    "secrets are root's": modes(
        "owners and modes of the node's secrets",
        "roles/*/vars/main.yml",
        "/root /root/attacked /var/spool/archipel/invitations"
        " /var/spool/archipel/invitations/attacked"
        " /var/log/nginx /var/log/nginx/access.log /etc/shadow /etc/gshadow"
        " /etc/ssh/ssh_host_ed25519_key /etc/archipel/tls /etc/archipel/tls/wildcard"
        " /etc/archipel/tls/wildcard/privkey.pem /var/lib/mysql /var/lib/archipel/changes"
        " /etc/ssl/private /etc/ssl/private/attacked /etc/mysql/debian.cnf"
        " /etc/archipel/php /etc/archipel/php/repair-cafe-brest.conf",
        "o+rX",
    ),
    "system is root's": modes(
        "owners and modes of the system's files",
        "Debian",
        "/etc/cron.d /usr/local/libexec/archipel/tidy /etc/systemd/system /etc/php/*/fpm/conf.d"
        " /etc/profile.d",
    ),
    # --- MariaDB and Redis --------------------------------------------------------------------
    "identity by socket": Defence(
        "accounts by `unix_socket`",
        "plugins/plugin_utils/_render/_render_database.py",
        remove='mariadb -e "ALTER USER \\`space-repair-cafe-brest\\`@localhost IDENTIFIED VIA'
        ' mysql_native_password"',
        restore="mariadb -e 'ALTER USER `space-repair-cafe-brest`@localhost IDENTIFIED VIA"
        " unix_socket'",
    ),
    "one database each": grant(
        "grants on its own database alone", "SELECT ON `space\\_repair-cafe-brest`.*"
    ),
    "escaped grants": grant("grants whose `_` is no wildcard", "ALL ON `space_velo-ecole`.*"),
    "no PROCESS": grant("no privilege `PROCESS`", "PROCESS ON *.*"),
    "no FILE": grant("no privilege `FILE`", "FILE ON *.*"),
    "no SUPER": grant("no privilege `SUPER`", "SUPER ON *.*"),
    "no CREATE USER": grant("no privilege `CREATE USER`", "CREATE USER ON *.*"),
    "no CONNECTION ADMIN": grant("no privilege `CONNECTION ADMIN`", "CONNECTION ADMIN ON *.*"),
    "no grants of grants": grant("no `SELECT` on `mysql.*`", "SELECT ON mysql.*"),
    "bounded connections": Defence(
        "`MAX_USER_CONNECTIONS`",
        "plugins/plugin_utils/_render/_render_database.py",
        remove="mariadb -e 'GRANT USAGE ON *.* TO `space-velo-ecole`@localhost WITH"
        " MAX_USER_CONNECTIONS 0'",
        restore="mariadb -e 'GRANT USAGE ON *.* TO `space-velo-ecole`@localhost WITH"
        " MAX_USER_CONNECTIONS 20'",
    ),
    "Redis' commands": Defence(
        "`user default … -@admin -@dangerous` of Redis",
        "roles/redis/templates/etc/archipel/redis/common.conf.j2",
        edits=(("/etc/archipel/redis/common.conf", "^(rename-command|user|acl|enable-).*$", ""),),
        apply="systemctl restart space-redis@velo-ecole.service",
    ),
    # --- the network --------------------------------------------------------------------------
    "firewall": Defence(
        "nftables, table `archipel_spaces`",
        NFT,
        remove=f"systemctl stop {KEEPERS}; nft delete table inet archipel_spaces",
        restore=f"systemctl start archipel-network.service {KEEPERS}",
    ),
    "slices' filters": slices("IPAddressDeny"),
    "no listening": slices("SocketBindDeny"),
    "firewall of own addresses": Defence(
        "nftables, table `archipel_itself`",
        NFT,
        remove=f"systemctl stop {KEEPERS}; nft delete table inet archipel_itself",
        restore=f"systemctl start archipel-network.service {KEEPERS}",
    ),
    # --- nginx and PHP ------------------------------------------------------------------------
    "own address, own pages": Defence(
        "nginx: `$archipel_foreign`",
        "roles/spaces/templates/etc/nginx/conf.d/archipel-spaces.conf.j2",
        edits=((RENDERED, r"if \(\$archipel_foreign\) \{\n\s+return 421;\n\}", ""),),
        apply=NGINX,
    ),
    "private paths": Defence(
        "nginx: locations of what is not for visitors",
        SNIPPET,
        edits=(
            (RENDERED, r"location ~ \^/\(\?:build[^\n]*\{\n[^\n]*\n\}", ""),
            (RENDERED, r"location ~ \^/\(\?:\\\.\|autotest[^\n]*\{\n[^\n]*\n\}", ""),
        ),
        apply=NGINX,
    ),
    "applications are the operator's": Defence(
        "nginx: `$archipel_forbidden`",
        SNIPPET,
        edits=((RENDERED, r"if \(\$archipel_forbidden\) \{\n\s+return 403;\n\}", ""),),
        apply=NGINX,
    ),
    "PHP's own settings": Defence(
        "`php_admin_value`",
        PHP_POOL,
        edits=(("/etc/archipel/php/velo-ecole.conf", r"^php_admin_value", "php_value"),),
        apply=RELOAD,
        ways=(WEB,),
    ),
}
