# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The compiled code of releases, kept on disk for every space's PHP to start from.

PHP's file cache lies in a folder named after the very build of PHP (its system id). A space
that wakes reads compiled code from there instead of compiling it. Only root writes there;
what a space's PHP may read it cannot change.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# Compiles the files whose names come on standard input, and runs none of them.
COMPILER = r"""
error_reporting(0);
$done = 0;
while (($name = fgets(STDIN)) !== false) {
    try { $done += (int)@opcache_compile_file(rtrim($name, "\n")); } catch (Throwable) { }
}
echo $done;
"""
# Code that no request of a space runs.
LEFT_OUT = {"tests", "Tests", "test", "node_modules", "l10n", ".git"}


class OpcacheError(Exception):
    """The code could not be compiled."""


@dataclass(frozen=True)
class World:
    """What is there: the id of this PHP, the ids that have a cache, and this id's releases."""

    system_id: str
    known: frozenset[str] = frozenset()
    # Release → digest of the build it was compiled from.
    compiled: t.Mapping[str, str] = field(default_factory=dict)


def command(php: str, cache: str) -> list[str]:
    """Return PHP's command line for compiling into a folder."""
    settings = {
        "opcache.enable_cli": "1",
        "opcache.file_cache": cache,
        "opcache.file_cache_only": "1",
        "opcache.validate_timestamps": "0",
        # PHP leaves files of the last two seconds alone; these are complete.
        "opcache.file_update_protection": "0",
        "opcache.max_file_size": "0",
        "memory_limit": "1G",
    }
    options = [part for key, value in settings.items() for part in ("-d", f"{key}={value}")]
    return [php, *options, "-r", COMPILER]


def compile_files(php: str, cache: str, files: t.Sequence[str]) -> int:
    """Compile files into a cache folder; return how many PHP accepted.

    Raises:
        OpcacheError: PHP could not be run, or has no opcache.
    """
    done = subprocess.run(
        command(php, cache), input="\n".join(files), capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not done.stdout.strip().isdigit():
        why = (done.stderr or done.stdout).strip()[-500:]
        raise OpcacheError(f"{php} could not compile into its file cache: {why}")
    return int(done.stdout)


def system_id(php: str) -> str:
    """Ask a PHP for the name of its cache folder, by having it compile a file of one line.

    Raises:
        OpcacheError: PHP could not be run, or has no opcache.
    """
    with tempfile.TemporaryDirectory(prefix="archipel-opcache-") as folder:
        cache, probe = Path(folder, "cache"), Path(folder, "probe.php")
        cache.mkdir()
        probe.write_text("<?php return 1;\n", encoding="ascii")
        compile_files(php, str(cache), [str(probe)])
        found = os.listdir(cache)
    if len(found) != 1:
        raise OpcacheError(f"{php} wrote nothing into its file cache: is opcache installed?")
    return found[0]


def builds_of(releases: str) -> dict[str, str]:
    """Return the releases that are built, each with what identifies its build: its manifest."""
    found = Path(releases).glob("*.json")
    return {p.stem: p.read_text(encoding="utf-8") for p in found if p.with_suffix("").is_dir()}


def read_world(php: str, folder: str) -> World:
    """Read what the cache holds for the PHP of today."""
    current = system_id(php)
    try:
        known = frozenset(os.listdir(folder))
    except FileNotFoundError:
        return World(current)
    compiled = {}
    for path in Path(folder, current).glob("*.json"):
        compiled[path.stem] = json.loads(path.read_text(encoding="utf-8"))["build"]
    return World(current, known, compiled)


def plan(world: World, builds: t.Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the releases to compile, and the entries of the cache folder to remove. Pure.

    Args:
        world: what is there.
        builds: release → what identifies its build.

    """
    wanted = [name for name, build in sorted(builds.items()) if world.compiled.get(name) != build]
    gone = [f"{world.system_id}/{name}" for name in sorted(set(world.compiled) - set(builds))]
    return wanted, sorted(world.known - {world.system_id}) + gone


def sources(release: str) -> list[str]:
    """Return the PHP files of a release that requests may run."""
    found = []
    for parent, folders, names in os.walk(release):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        found += [os.path.join(parent, name) for name in sorted(names) if name.endswith(".php")]
    return found


def compile_release(php: str, cache: Path, release: Path) -> int:
    """Compile a release beside its place, then put the result there; return how many files.

    Args:
        php: the PHP that will run it.
        cache: the cache folder of this PHP, named after its system id.
        release: the release's own folder.

    Raises:
        OpcacheError: PHP could not compile anything.
    """
    files = sources(str(release))
    workers = len(os.sched_getaffinity(0))
    place = cache.joinpath(*release.parts[1:])
    with tempfile.TemporaryDirectory(prefix=".new-", dir=cache.parent) as beside:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            shares = [files[n::workers] for n in range(min(workers, len(files)))]
            number = sum(pool.map(lambda share: compile_files(php, beside, share), shares))
        made = Path(beside, cache.name, *release.parts[1:])
        if not made.is_dir():
            raise OpcacheError(f"{php} compiled nothing of {release}")
        open_for_reading(made)
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
    return number


def remove(cache: Path, releases: str, release: str) -> None:
    """Forget the compiled code of a release: the note first, so that half of it counts for none."""
    (cache / f"{release}.json").unlink(missing_ok=True)
    shutil.rmtree(cache.joinpath(*Path(releases, release).parts[1:]), ignore_errors=True)


def open_for_reading(folder: Path) -> None:
    """Let everybody read what PHP wrote for itself alone."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def apply(
    php: str, folder: str, releases: str, wanted: t.Mapping[str, str], system: str
) -> dict[str, int]:
    """Compile releases; return the number of files of each.

    Raises:
        OpcacheError: PHP could not compile anything.
    """
    cache, numbers = Path(folder, system), {}
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, build in wanted.items():
        remove(cache, releases, name)
        numbers[name] = compile_release(php, cache, Path(releases, name))
        note = json.dumps({"build": build, "files": numbers[name]})
        (cache / f"{name}.json").write_text(note, encoding="utf-8")
    return numbers


def converge(php: str, folder: str, releases: str, *, check: bool) -> dict[str, t.Any]:
    """Have all releases compiled for the PHP of today, and drop what is for others.

    Raises:
        OpcacheError: PHP could not be run or compile.
    """
    if check and not os.path.exists(php):
        return {"changed": True, "system_id": "", "compiled": {}, "removed": []}
    world, builds = read_world(php, folder), builds_of(releases)
    wanted, old = plan(world, builds)
    result: dict[str, t.Any] = {
        "changed": bool(wanted or old),
        "system_id": world.system_id,
        "compiled": dict.fromkeys(wanted, 0),
        "removed": old,
    }
    if check:
        return result
    for entry in old:
        system, _, release = entry.partition("/")
        if release:
            remove(Path(folder, system), releases, release)
        else:
            shutil.rmtree(Path(folder, entry))
    order = {name: builds[name] for name in wanted}
    result["compiled"] = apply(php, folder, releases, order, world.system_id)
    return result
