# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What belongs to other spaces, to the node, or to nobody, in its files."""

from __future__ import annotations

from tests.attacks.model import JOB, OCC, WEB, Attack

# The folders of another space, and what a test has put there.
THERE = "/srv/spaces/{other}"
IN_SPACE = ("spaces hidden", "modes of a space")
OWN = "own = f'/srv/spaces/{slug}'\n"


def of_other(act: str, path: str) -> str:
    """Something done to a file of another space."""
    return f"answer = {act}(f'{THERE}/{path}')"


ATTACKS = (
    # --- other spaces -------------------------------------------------------------------------
    Attack(
        "lists the spaces of its node", "answer = lists('/srv/spaces', other)", ("spaces hidden",)
    ),
    Attack("reads another space's configuration", of_other("reads", "config/config.php"), IN_SPACE),
    Attack("reads a file of another space's people", of_other("reads", "data/attacked"), IN_SPACE),
    Attack("reads a session of another space", of_other("reads", "sessions/attacked"), IN_SPACE),
    Attack("reads an upload of another space", of_other("reads", "tmp/attacked"), IN_SPACE),
    Attack(
        "changes a file of another space's people",
        of_other("writes", "data/attacked"),
        ("spaces hidden", "modes of a space", "read-only system"),
    ),
    Attack(
        "puts a session into another space",
        of_other("writes", "sessions/planted"),
        ("spaces hidden", "modes of a space", "read-only system"),
    ),
    Attack(
        "reads another space's files by a link that it makes to them",
        OWN + "link = f'{own}/tmp/link'\n"
        "attempt(os.unlink, link)\nos.symlink(f'/srv/spaces/{other}/data/attacked', link)\n"
        "answer = reads(link)",
        IN_SPACE,
    ),
    # --- who else is there --------------------------------------------------------------------
    Attack(
        "finds other spaces in the list of users",
        "answer = holds('/etc/passwd', other)",
        ("own passwd",),
    ),
    Attack(
        "finds other spaces in the list of groups",
        "answer = holds('/etc/group', other)",
        ("own group",),
    ),
    Attack(
        "finds other spaces in an earlier list of users",
        "answer = holds('/etc/passwd-', other)",
        ("no old passwd",),
    ),
    Attack(
        "finds other spaces in an earlier list of groups",
        "answer = holds('/etc/group-', other)",
        ("no old group",),
    ),
    Attack(
        "finds other spaces in nginx's settings",
        "answer = lists('/etc/nginx/archipel', other)",
        ("no nginx",),
    ),
    Attack(
        "finds other spaces in what makes users",
        "answer = lists('/etc/sysusers.d', 'archipel')",
        ("no sysusers",),
    ),
    Attack(
        "finds other spaces in what makes folders",
        "answer = lists('/etc/tmpfiles.d', 'archipel')",
        ("no tmpfiles",),
    ),
    Attack(
        "finds other spaces in the units that are enabled",
        "answer = lists('/etc/systemd/system/sockets.target.wants', other)",
        ("no units",),
    ),
    Attack(
        "finds other spaces, and how busy they are, in control groups",
        "answer = '' if any(other in name for _r, names, _f in os.walk('/sys/fs/cgroup') for"
        " name in names)"
        " else ABSENT",
        ("no control groups",),
    ),
    Attack(
        "finds other spaces by their hosts' files",
        "answer = reads(f'/var/lib/archipel/network/hosts/{other}')",
        ("var hidden",),
    ),
    Attack(
        "reads the settings of another space's PHP",
        "answer = reads(f'/etc/archipel/php/{other}.conf')",
        ("settings hidden", "secrets are root's"),
    ),
    # --- the node -----------------------------------------------------------------------------
    Attack(
        "reads the passwords of the node",
        "answer = reads('/etc/shadow')",
        ("no shadow", "secrets are root's"),
    ),
    Attack(
        "reads the passwords of its groups",
        "answer = reads('/etc/gshadow')",
        ("no gshadow", "secrets are root's"),
    ),
    Attack(
        "reads the key of the node's SSH",
        "answer = reads('/etc/ssh/ssh_host_ed25519_key')",
        ("secrets are root's",),
    ),
    Attack(
        "reads the password of Debian's account",
        "answer = reads('/etc/mysql/debian.cnf')",
        ("secrets are root's",),
    ),
    Attack(
        "reads the key of the certificate",
        "answer = reads('/etc/archipel/tls/wildcard/privkey.pem')",
        ("settings hidden", "secrets are root's"),
    ),
    Attack(
        "reads a key in Debian's folder of keys",
        "answer = reads('/etc/ssl/private/attacked')",
        ("no keys", "secrets are root's"),
    ),
    Attack(
        "reads a file of root's home",
        "answer = reads('/root/attacked')",
        ("root hidden", "home protected", "secrets are root's"),
    ),
    Attack(
        "reads an invitation that waits in the spool",
        "answer = reads('/var/spool/archipel/invitations/attacked')",
        ("var hidden", "secrets are root's"),
    ),
    Attack(
        "reads the log of who visited which space",
        "answer = reads('/var/log/nginx/access.log')",
        ("var hidden", "secrets are root's"),
    ),
    Attack(
        "lists the databases by their files",
        "answer = lists('/var/lib/mysql', 'space')",
        ("var hidden",),
    ),
    Attack(
        "lists what other spaces ask their operator for",
        "answer = lists('/var/lib/archipel/changes', 'attacked')",
        ("var hidden", "secrets are root's"),
    ),
    Attack(
        "finds a file that somebody left in /tmp", "answer = reads('/tmp/attacked')", ("own tmp",)
    ),
    Attack(
        "finds a file that somebody left in /var/tmp",
        "answer = reads('/var/tmp/attacked')",
        ("own tmp", "var hidden"),
    ),
    Attack(
        "finds memory that somebody shares in /dev/shm",
        "answer = reads('/dev/shm/attacked')",
        ("own shared memory",),
    ),
    Attack("finds a device of the node", "answer = reads('/dev/attacked')", ("own devices",)),
    # --- what it runs -------------------------------------------------------------------------
    Attack(
        "changes the release that all spaces run",
        "answer = writes(f'/srv/spaces/{slug}/release/index.php')",
        ("read-only releases", "read-only system", "spaces hidden", "releases are root's"),
    ),
    Attack(
        "leaves a .user.ini beside the release, for PHP to obey",
        "answer = writes(f'/srv/spaces/{slug}/release/.user.ini')",
        ("read-only releases", "read-only system", "spaces hidden", "releases are root's"),
    ),
    Attack(
        "changes the code that is compiled for all spaces",
        "folders = glob.glob('/run/opcache/*')\nanswer = writes(f'{folders[0]}/planted')",
        ("compiled code read-only", "compiled code is root's"),
        ways=(WEB, JOB),
    ),
    Attack(
        "adds a file to its configuration, which overrides the operator's",
        OWN + "answer = writes(f'{own}/config/zz.config.php')\n"
        "attempt(os.unlink, f'{own}/config/zz.config.php')",
        ("read-only configuration",),
        ways=(WEB, JOB),
    ),
    Attack(
        "puts a file of its own in place of the operator's configuration",
        OWN + "kept, gone = f'{own}/config/managed.config.php', f'{own}/config/managed.old'\n"
        "answer = attempt(os.rename, kept, gone)\nattempt(os.rename, gone, kept)",
        ("sticky configuration",),
        ways=(OCC,),
    ),
    Attack(
        "changes a setting of the system",
        "answer = writes('/etc/profile.d/planted.sh')",
        ("read-only system", "system is root's"),
    ),
    Attack(
        "plants a job into cron's folder",
        "answer = writes('/etc/cron.d/planted')",
        ("read-only system", "system is root's"),
    ),
    Attack(
        "plants a unit for systemd",
        "answer = writes('/etc/systemd/system/planted.service')",
        ("no units", "read-only system", "system is root's"),
    ),
    Attack(
        "changes a program that root runs",
        "answer = writes('/usr/local/libexec/archipel/tidy')",
        ("read-only system", "system is root's"),
    ),
    Attack(
        "plants a setting of PHP for all spaces",
        "answer = writes(glob.glob('/etc/php/*/fpm/conf.d')[0] + '/planted.ini')",
        ("read-only system", "system is root's"),
    ),
    Attack(
        "makes a program that runs as its user for whoever starts it",
        OWN + "path = f'{own}/tmp/setuid'\nwrites(path)\n"
        "answer = attempt(os.chmod, path, 0o4755)\nos.unlink(path)",
        ("no setuid",),
    ),
    Attack(
        "makes a folder that hands its group on",
        OWN + "path = f'{own}/tmp/setgid'\nos.mkdir(path)\n"
        "answer = attempt(os.chmod, path, 0o2755)\nos.rmdir(path)",
        ("no setuid",),
    ),
)
