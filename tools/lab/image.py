# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The image a machine boots from: Debian packages, from the mirror this host uses."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tools.lab import LabError
from tools.lab.host import podman, require, run

# As little as a rented server has: what a role needs it must install itself.
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "openssh-server",
    "procps",
    "python3",
    "systemd",
    "systemd-sysv",
)
PUBLIC_MIRROR = "http://deb.debian.org/debian"
PUBLIC_SECURITY_MIRROR = "http://deb.debian.org/debian-security"

# Keys of the image would be the same on every machine: each makes its own.
HOST_KEYS_UNIT = """\
[Unit]
Description=Make this machine's SSH keys
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=ssh.service
"""
# Kernel modules belong to the host: a container that tries is 'degraded' for ever.
MASKED_UNITS = ("systemd-modules-load.service",)


def ensure(suite: str) -> str:
    """Return the name of the image for a Debian suite; build it when it is not there."""
    sources = apt_sources(suite)
    name = f"localhost/archipel-lab:{suite}-{_digest(sources)}"
    if name not in _images():
        _build(suite, sources, name)
    return name


def remove_all() -> list[str]:
    """Remove every image that the lab made and no machine uses."""
    used = run([*podman(), "ps", "--all", "--format", "{{.Image}}"]).split()
    images = [name for name in _images() if name.startswith("localhost/archipel-lab:")]
    unused = [name for name in images if name not in used]
    for name in unused:
        run([*podman(), "rmi", name])
    return unused


def apt_sources(suite: str) -> str:
    """Return the apt sources of a machine: this host's mirrors, or Debian's public ones."""
    main, security = PUBLIC_MIRROR, PUBLIC_SECURITY_MIRROR
    here = _codename()
    for uri, release in _configured_sources():
        if release == here:
            main = uri
        elif release == f"{here}-security":
            security = uri
    return "".join(
        f"deb {uri} {release} main\n"
        for uri, release in (
            (main, suite),
            (main, f"{suite}-updates"),
            (security, f"{suite}-security"),
        )
    )


def _codename() -> str:
    """Return this Debian's code name; nothing elsewhere: other mirrors have no Debian."""
    release = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    return release.get("VERSION_CODENAME", "").strip('"') if release.get("ID") == "debian" else ""


def _configured_sources() -> list[tuple[str, str]]:
    """Let apt read its own configuration: it knows both formats."""
    try:
        listed = run(
            [
                "apt-get",
                "indextargets",
                "--format",
                "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                "Identifier: Packages",
            ]
        )
    except (LabError, FileNotFoundError):
        return []
    rows = [line.split() for line in listed.splitlines()]
    return [(uri.rstrip("/"), release) for uri, release, component in rows if component == "main"]


def apt_options() -> list[str]:
    """Return the proxies of this host's apt: behind one, the machine needs them too."""
    try:
        dump = run(["apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy"])
    except (LabError, FileNotFoundError):
        return []
    return [f"--aptopt={line}" for line in dump.splitlines() if '""' not in line]


def _digest(sources: str) -> str:
    parts = [sources, *apt_options(), *PACKAGES, HOST_KEYS_UNIT, *MASKED_UNITS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _images() -> list[str]:
    listed = run([*podman(), "images", "--format", "{{.Repository}}:{{.Tag}}"])
    return listed.split()


def _build(suite: str, sources: str, name: str) -> None:
    """Pipe the root file system that mmdebstrap makes into podman."""
    require("mmdebstrap")
    part = f"{name}-part"
    # Not among the answers: what is printed there is JSON.
    print(f"Building the Debian {suite} image; this is done once.", file=sys.stderr, flush=True)
    with subprocess.Popen(
        _bootstrap_command(suite), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as bootstrap:
        assert bootstrap.stdin is not None
        bootstrap.stdin.write(sources.encode())
        bootstrap.stdin.close()
        imported = subprocess.run(
            [*podman(), "import", "--quiet", "-", part],
            stdin=bootstrap.stdout,
            stdout=subprocess.DEVNULL,
            stderr=sys.stderr,
            check=False,
        )
    if bootstrap.returncode != 0 or imported.returncode != 0:
        # A stream cut short may have left an image that looks complete.
        if part in _images():
            run([*podman(), "rmi", part])
        raise LabError(
            f"the Debian {suite} image could not be built (see above). It used these apt "
            f"sources:\n{sources}Check that this host reaches them (apt-get update)."
        )
    # Last: an image of this name is complete, whenever the lab was killed.
    run([*podman(), "tag", part, name])
    # Named twice: given the image alone, podman of Debian 12 (4.3) takes all its names away.
    run([*podman(), "untag", part, part])


def hooks() -> list[str]:
    """Return what makes a machine of a tree of packages: shell commands, $1 being the tree."""
    unit = "$1/etc/systemd/system/lab-host-keys.service"
    return [
        'rm -f "$1"/etc/ssh/ssh_host_*_key*',
        f"cat > \"{unit}\" <<'UNIT'\n{HOST_KEYS_UNIT}UNIT",
        'chroot "$1" systemctl enable lab-host-keys.service ssh.service',
        'install -d -m 0700 "$1/root/.ssh"',
    ]


def _bootstrap_command(suite: str) -> list[str]:
    """Return mmdebstrap's command line; it reads the sources from standard input."""
    mask = f'chroot "$1" systemctl mask {" ".join(MASKED_UNITS)}'
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *apt_options(),
        *(f"--customize-hook={hook}" for hook in [*hooks(), mask]),
        suite,
        "-",
        "-",
    ]
