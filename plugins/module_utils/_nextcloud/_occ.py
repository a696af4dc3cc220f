# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Run Nextcloud's occ as a space, inside the space's own sandbox."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import threading
import typing as t
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _config,
    _files,
    _layout,
    _unit_names,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _standstill,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        JsonObject,
        Spec,
    )

# Of the module occ, and of its action plugin.
OPTIONS: Spec = {
    # Which one it is may follow from what a command is aimed at; the module needs it.
    "space": {"type": "str", "aliases": ["slug"]},
    "args": {"type": "str", "required": True},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "stdin": {"type": "str", "no_log": True},
    "root": {"type": "path", "default": _layout.Places.root},
    "php": {"type": "path", "default": "/usr/bin/php"},
    "timeout": {"type": "int", "default": 3600},
}

SANDBOX = "/etc/archipel/sandbox/space.conf"
# Where compiled code is to be had, it is in a file of its own (module nextcloud_opcache).
COMPILED = "/etc/archipel/sandbox/opcache.conf"
RUNNER = "/usr/local/libexec/archipel/occ-args.php"
# Where the sandbox shows the releases' compiled code, if there is any.
CODE_CACHE = "/run/opcache"
SETTINGS = ("apc.enable_cli=1", "memory_limit=512M")
CACHE_SETTINGS = (
    "opcache.enable_cli=1",
    f"opcache.file_cache={CODE_CACHE}",
    "opcache.file_cache_only=1",
    "opcache.file_cache_consistency_checks=0",
)

# What the runner says when a command failed that others were to follow.
FAILED = re.compile(r"^occ-args: (\S+) ended with \d+$", re.MULTILINE)

# What a progress bar of Symfony's leaves in a log, and the words that start and end it.
BAR = re.compile(r"^\s*\d+(?:/\d+)?\s+\[[->=]*\].*$")
BAR_WORDS = frozenset({"", "Starting ...", "Done"})
# A step of a PHP trace: it says where, and hides why.
FRAME = re.compile(r"^(?:Trace: )?#\d+ (?:/.+\(\d+\): |\[internal function\]: |\{main\}$)")
# Characters of a failure that a report has room for.
WHY = 800
# How Nextcloud names what went wrong, and what it says after that.
EXCEPTION = re.compile(r"^(?:[A-Za-z_]\w*\\)*\w*(?:Exception|Error): ")
AFTERWARDS = frozenset({"Update failed", "Maintenance mode is kept active", "Resetting log level"})

# Space → how many of this process want its Redis.
HELD: Counter[str] = Counter()
GUARD = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """What a run of occ gave."""

    code: int
    stdout: str
    stderr: str

    def why(self) -> str:
        """Return why it failed: the exception that it names, else the end of what it said."""
        said, complained = meant(self.stdout), meant(FAILED.sub("", self.stderr))
        if exception := exception_in(complained) or exception_in(said):
            return "\n".join(exception)[:WHY]
        return "\n".join(complained or said).strip()[-WHY:] or f"exit code {self.code}"

    def failed(self, last: str) -> str:
        """Return which of several commands failed: the one named, else the last."""
        named = FAILED.search(self.stderr)
        return named[1] if named else last


def meant(said: str) -> list[str]:
    """Return the lines of an output that are for people: no progress bars, no traces. Pure."""
    lines = (line.rstrip() for line in said.splitlines())
    return [
        line
        for line in lines
        if line.strip() not in BAR_WORDS and not BAR.match(line) and not FRAME.match(line)
    ]


def exception_in(lines: t.Sequence[str]) -> list[str]:
    """Return the exception that ended a command, with what it adds to it; none: nothing. Pure."""
    named = next((n for n, line in enumerate(lines) if EXCEPTION.match(line)), len(lines))
    return list(itertools.takewhile(lambda line: line not in AFTERWARDS, lines[named:]))


def sandbox(path: str = SANDBOX, compiled: str = COMPILED) -> list[str]:
    """Return the lines of the sandbox that the units of spaces share."""
    text = f"{Path(path).read_text(encoding='utf-8')}\n{_files.read_text(compiled)}"
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", "["))]


def properties(lines: t.Iterable[str], slug: str, release: str) -> list[str]:
    """Return the arguments that make systemd-run build the same sandbox. Pure."""
    wanted = [line.replace("%i", slug) for line in lines]
    wanted += [
        f"Wants={_unit_names.Units(slug).redis}",
        f"After={_unit_names.Units(slug).redis}",
        "Slice=archipel-jobs-spaces.slice",
        f"Environment=ARCHIPEL_RELEASE={release}",
    ]
    return [f"--property={line}" for line in wanted]


def interpreter(php: str, lines: t.Iterable[str]) -> list[str]:
    """Return PHP's command line; it reads compiled code where the sandbox shows some. Pure."""
    cached = any(line.startswith(f"TemporaryFileSystem={CODE_CACHE}:") for line in lines)
    settings = SETTINGS + CACHE_SETTINGS if cached else SETTINGS
    return [php, *(part for setting in settings for part in ("-d", setting))]


@contextmanager
def awake(slug: str) -> t.Iterator[None]:
    """Keep a space's Redis running meanwhile; within another such time, that one is enough.

    Raises:
        OSError: systemd does not start it, or does not let go of it.

    """
    target = _unit_names.Units(slug).occ
    with GUARD:
        HELD[slug] += 1
        first = HELD[slug] == 1
    try:
        if first:
            run_systemctl("start", target)
        yield
    finally:
        with GUARD:
            HELD[slug] -= 1
            last = HELD[slug] == 0
        if last:
            run_systemctl("stop", "--no-block", target)


def run_systemctl(*words: str) -> None:
    """Run systemctl.

    Raises:
        OSError: it says no.

    """
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"systemctl {' '.join(words)}: {done.stderr.strip()[-500:]}")


def run(
    slug: str,
    php: str,
    arguments: t.Sequence[str],
    *,
    root: str = _layout.Places.root,
    environment: t.Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 3600,
    lines: t.Sequence[str] | None = None,
    unit: str = "",
    more: t.Sequence[t.Sequence[str]] = (),
) -> Outcome:
    """Run occ once for one space.

    Arguments, environment and input travel over a pipe: none shows in the process list.
    `{input}` in an argument stands for the path of a private file that holds `stdin`.

    Args:
        slug: the space.
        php: the PHP interpreter.
        arguments: occ's arguments.
        root: where the spaces are.
        environment: variables for occ alone.
        stdin: text that occ reads as a file, see above.
        timeout: seconds after which the run is ended.
        lines: the sandbox, when the caller has read it already.
        unit: a name of its own, by which somebody else can find or end the run.
        more: further commands, each run if the one before it has succeeded.

    Raises:
        OSError: the sandbox's definition or the release link is missing, or the space is held at
            a standstill.

    """
    if _standstill.is_held(slug):
        raise OSError(
            f"{slug} is held at a standstill while its data are moved; playbooks/status.yml says "
            "what is under way"
        )
    layout = _layout.under(root, slug)
    release = os.path.realpath(layout.release, strict=True)
    command = sandboxed(slug, php, release, timeout=timeout, lines=lines, unit=unit)
    with awake(slug):
        done = subprocess.run(
            command,
            input=request(arguments, environment=environment, stdin=stdin, more=more),
            capture_output=True,
            text=True,
            check=False,
        )
    take_back(layout.home)
    return Outcome(done.returncode, done.stdout, done.stderr)


def take_back(home: str) -> None:
    """Take the operator's keys out of a space's state file again.

    Whenever Nextcloud stores a key of its own, it writes all that it has read into config.php, what
    it read in managed.config.php with it: a copy that would stay in force when that one changes.
    """
    path = f"{home}/config/config.php"
    managed = _config.keys(_files.read_text(f"{home}/config/managed.config.php"))
    text = _files.read_text(path)
    cleaned = _config.without(text, managed)
    if cleaned != text:
        owner = os.stat(path)
        uid, gid = owner.st_uid, owner.st_gid
        _files.write_file({"path": path, "content": cleaned, "uid": uid, "gid": gid, "mode": 0o640})


def request(
    arguments: t.Sequence[str],
    *,
    environment: t.Mapping[str, str] | None = None,
    stdin: str | None = None,
    more: t.Sequence[t.Sequence[str]] = (),
) -> str:
    """Return what the runner reads. Pure."""
    asked: JsonObject = {
        "arguments": list(arguments),
        "environment": dict(environment or {}),
    }
    if more:
        asked["more"] = [list(one) for one in more]
    if stdin is not None:
        asked["input"] = stdin
    return json.dumps(asked)


def sandboxed(
    slug: str,
    php: str,
    release: str,
    *,
    timeout: float,
    lines: t.Sequence[str] | None = None,
    unit: str = "",
) -> list[str]:
    """Return the command that starts the runner for a release in a space's sandbox.

    Args:
        slug: the space.
        php: the PHP interpreter.
        release: the folder of its release.
        timeout: seconds after which the run is ended.
        lines: the sandbox, when the caller has read it already.
        unit: a name of its own.

    """
    lines = sandbox() if lines is None else lines
    return [
        *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
        *([f"--unit={unit}"] if unit else ()),
        f"--description=occ of the Nextcloud space {slug}",
        *properties(lines, slug, release),
        f"--property=RuntimeMaxSec={int(timeout)}",
        *("--", *interpreter(php, lines), RUNNER),
    ]


class Ready:
    """A runner that has started in its sandbox and waits for what to run.

    Starting it takes as long as a short command: whoever knows that one will be needed begins
    in time. The space's Redis must be awake meanwhile.
    """

    def __init__(self, command: t.Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, asked: str) -> Outcome:
        """Run what is asked; return what came of it."""
        stdout, stderr = self._process.communicate(asked)
        return Outcome(self._process.returncode, stdout, stderr)

    def dismiss(self) -> None:
        """End it: it is not needed. One that has run is gone already."""
        if self._process.returncode is None:
            # It reads nothing, and ends.
            self._process.communicate("")
