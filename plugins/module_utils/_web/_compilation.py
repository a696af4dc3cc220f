# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The PHP files of a release, compiled by the programs that will run them.

PHP's file cache lies in a folder named after the very build of PHP, its extensions and the
program they are loaded into: its system id. php and php-fpm have different ones, and each
can only compile for itself. An account that may write one folder and nothing else compiles;
the result becomes root's.
"""

from __future__ import annotations

import glob
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._web import _fastcgi

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

# Compiles the files named in a file from a place on, and runs none of them. Prints how many it
# accepted and how far it came: PHP gives up altogether at a class that is there already, which
# older releases of it (8.2) notice while compiling.
COMPILER = r"""<?php
error_reporting(0);
$done = 0;
$names = file($_SERVER['ARCHIPEL_FILES'], FILE_IGNORE_NEW_LINES);
$at = (int)$_SERVER['ARCHIPEL_START'];
register_shutdown_function(function () use (&$done, &$at) { echo "$done $at"; });
for (; $at < count($names); $at++) {
    try { $done += (int)opcache_compile_file($names[$at]); } catch (Throwable) { }
}
"""
ANSWER = re.compile(r"(\d+) (\d+)")
# Code that no request of a space runs.
LEFT_OUT = {"tests", "Tests", "test", "node_modules", "l10n", ".git"}
SETTINGS = {
    "opcache.enable_cli": "1",
    "opcache.file_cache_only": "1",
    "opcache.validate_timestamps": "0",
    # PHP leaves files of the last two seconds alone; these are complete.
    "opcache.file_update_protection": "0",
    "opcache.max_file_size": "0",
    "opcache.restrict_api": "",
    "memory_limit": "1G",
    "max_execution_time": "0",
}
POOL = """\
[global]
error_log = {folder}/fpm.log
daemonize = no
[compile]
user = {user}
listen = {folder}/socket
pm = static
pm.max_children = {workers}
"""
# The account that compiles: it may write its own folder and nothing else.
ACCOUNT = "nobody"
PATH = "/usr/bin:/bin"
START_SECONDS, COMPILE_SECONDS = 30.0, 900.0
# Has a program compile, into a cache folder, the files that lists name.
Compile = t.Callable[[str, str, t.Sequence[str]], int]


class CompilationError(Exception):
    """The code could not be compiled."""


@dataclass(frozen=True)
class Program:
    """A program of PHP, and what its system id depends on."""

    name: str
    path: str
    sources: tuple[str, ...]
    compile: Compile


def list_options(cache: str) -> list[str]:
    """Return the options of PHP that make it compile into a folder. Pure."""
    values = {**SETTINGS, "opcache.file_cache": cache}
    return [part for key, value in values.items() for part in ("-d", f"{key}={value}")]


def list_programs(version: str) -> list[Program]:
    """Return the programs of one version of PHP, as Debian places them."""
    extensions = "/usr/lib/php/*/*.so"
    found = []
    for name, path, compiled in (
        ("fpm", f"/usr/sbin/php-fpm{version}", compile_with_fpm),
        ("cli", f"/usr/bin/php{version}", compile_with_cli),
    ):
        settings = (f"/etc/php/{version}/{name}/php.ini", f"/etc/php/{version}/{name}/conf.d/*")
        found.append(Program(name, path, (path, extensions, *settings), compiled))
    return found


def fingerprint(program: Program) -> str:
    """Return what changes whenever a program's system id may have.

    A file's change time cannot be set back: neither an update nor a hand escapes it.
    """
    digest = hashlib.sha256()
    for pattern in program.sources:
        for path in sorted(glob.glob(pattern)):
            info = os.stat(path)
            digest.update(f"{path} {info.st_ctime_ns} {info.st_size} {info.st_ino}\n".encode())
    return digest.hexdigest()


def parse_answer(program: str, text: str, said: str) -> tuple[int, int]:
    """Return how many files were compiled, and at which one PHP stopped.

    Raises:
        CompilationError: that is not what the program said.

    """
    found = ANSWER.fullmatch(text.strip())
    if not found:
        reason = (said or text).strip()[-500:]
        raise CompilationError(f"{program} could not compile into its file cache: {reason}")
    return int(found[1]), int(found[2])


def compile_list(names: str, ask: t.Callable[[str, int], tuple[int, int]]) -> int:
    """Have the files compiled that a list names, without those PHP gives up at; return how many.

    Args:
        names: the file with the list.
        ask: list and place to start → how many were compiled, and where PHP stopped.

    """
    total = len(Path(names).read_text(encoding="utf-8").splitlines())
    number = start = 0
    while start < total:
        done, stopped = ask(names, start)
        number, start = number + done, stopped + 1
    return number


def compile_with_cli(program: str, cache: str, lists: t.Sequence[str]) -> int:
    """Have php compile the files that lists name; return how many it accepted.

    Raises:
        CompilationError: it could not be run, or has no opcache.

    """
    user = pwd.getpwnam(ACCOUNT)

    def ask(names: str, start: int) -> tuple[int, int]:
        try:
            done = subprocess.run(
                [program, *list_options(cache), "-f", f"{os.path.dirname(names)}/compile.php"],
                env={"PATH": PATH, "ARCHIPEL_FILES": names, "ARCHIPEL_START": str(start)},
                capture_output=True,
                text=True,
                check=False,
                timeout=COMPILE_SECONDS,
                **choose_identity(user),
            )
        except subprocess.TimeoutExpired as error:
            raise CompilationError(f"{program} has not ended in {COMPILE_SECONDS:g} s") from error
        return parse_answer(program, done.stdout, done.stderr)

    with ThreadPoolExecutor(max_workers=len(lists)) as pool:
        return sum(pool.map(lambda names: compile_list(names, ask), lists))


def choose_identity(user: pwd.struct_passwd) -> JsonObject:
    """Return what makes subprocess run as somebody else; root only can."""
    if os.geteuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def compile_with_fpm(program: str, cache: str, lists: t.Sequence[str]) -> int:
    """Have php-fpm compile the files that lists name; return how many it accepted.

    Raises:
        CompilationError: it could not be run, or has no opcache.

    """
    folder = os.path.dirname(lists[0])
    with run_fpm(program, cache, folder, len(lists)), ThreadPoolExecutor(len(lists)) as pool:

        def ask(names: str, start: int) -> tuple[int, int]:
            try:
                text, said = _fastcgi.run(
                    f"{folder}/socket",
                    f"{folder}/compile.php",
                    {"ARCHIPEL_FILES": names, "ARCHIPEL_START": str(start)},
                    COMPILE_SECONDS,
                )
            except (_fastcgi.FastCgiError, OSError) as error:
                raise CompilationError(f"{program}: {error}") from error
            return parse_answer(program, text, said)

        return sum(pool.map(lambda names: compile_list(names, ask), lists))


@contextmanager
def run_fpm(program: str, cache: str, folder: str, workers: int) -> t.Iterator[None]:
    """Run a php-fpm of our own meanwhile, with the node's settings and extensions.

    Raises:
        CompilationError: it did not start.

    """
    pool = Path(folder, "pool.conf")
    pool.write_text(POOL.format(folder=folder, user=ACCOUNT, workers=workers), encoding="utf-8")
    process = subprocess.Popen(
        [program, "--nodaemonize", "--fpm-config", str(pool), *list_options(cache)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        limit = time.monotonic() + START_SECONDS
        while not os.path.exists(f"{folder}/socket"):
            if process.poll() is not None or time.monotonic() > limit:
                process.kill()
                said = process.communicate()[1]
                raise CompilationError(f"{program} did not start: {said.strip()[-500:]}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def make_workplace(
    folder: str, shares: t.Sequence[t.Sequence[str]]
) -> t.Iterator[tuple[str, list[str]]]:
    """Make a cache folder and lists of files that the compiling account may use; yield both."""
    user = pwd.getpwnam(ACCOUNT)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as place:
        os.chmod(place, 0o755)
        cache, lists = Path(place, "cache"), []
        cache.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(cache, user.pw_uid, user.pw_gid)
        Path(place, "compile.php").write_text(COMPILER, encoding="utf-8")
        for number, names in enumerate(shares):
            path = Path(place, f"files-{number}")
            path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            lists.append(str(path))
        yield str(cache), lists


def list_sources(release: str) -> list[str]:
    """Return the PHP files of a release that requests may run."""
    found = []
    for parent, folders, names in os.walk(release):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        found += [os.path.join(parent, name) for name in sorted(names) if name.endswith(".php")]
    return found


def compile_release(program: Program, folder: str, release: Path) -> tuple[str, int]:
    """Compile a release beside its place and put the result there.

    Returns:
        The program's system id, and how many files it accepted.

    Raises:
        CompilationError: it accepted none.

    """
    files = list_sources(str(release))
    workers = max(1, min(len(os.sched_getaffinity(0)), len(files)))
    with make_workplace(folder, [files[n::workers] for n in range(workers)]) as (cache, lists):
        number = program.compile(program.path, cache, lists)
        found = os.listdir(cache)
        if len(found) != 1:
            raise CompilationError(f"{program.path} compiled nothing of {release}: is opcache on?")
        made = Path(cache, found[0], *release.parts[1:])
        open_for_reading(made)
        place = Path(folder, found[0], *release.parts[1:])
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
    return found[0], number


def open_for_reading(folder: Path) -> None:
    """Take over what PHP wrote for itself alone, and let everybody read it."""
    for path in (folder, *folder.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)
