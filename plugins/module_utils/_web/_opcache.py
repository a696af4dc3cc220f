# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The compiled code of releases, kept on disk for every space's PHP to start from.

A space that wakes reads compiled code instead of compiling it. Only root writes there; what a
space's PHP may read it cannot change. An index beside the caches says what was compiled of
which build, by which program in which state.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._web import (
    _compilation,
    _managed_files,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject
    from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import File

INDEX = "index.json"
# PHP insists on a cache folder it may write to: an empty one, in which the shared ones are
# mounted read-only. One that an update of PHP has just removed stops nobody.
DROPIN = """\
# Ansible managed
[Service]
TemporaryFileSystem=/run/opcache:mode=1777,size=1m
{mounts}\
Environment="ARCHIPEL_FPM_OPTIONS={fpm}"
Environment="ARCHIPEL_PHP_OPTIONS={cli}"
"""
FPM_OPTIONS = "-d opcache.file_cache=/run/opcache -d opcache.file_cache_consistency_checks=0"
# A program that ends at once keeps nothing in memory of its own.
CLI_OPTIONS = f"{FPM_OPTIONS} -d opcache.enable_cli=1 -d opcache.file_cache_only=1"


@dataclass(frozen=True)
class Compiled:
    """What the index says of one program: its state then, its id, and release → build."""

    fingerprint: str = ""
    system_id: str = ""
    releases: t.Mapping[str, str] = field(default_factory=dict)


def read_builds(releases: str) -> dict[str, str]:
    """Return the releases that are built, each with a digest of its manifest."""
    return {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(releases).glob("*.json")
        if path.with_suffix("").is_dir()
    }


def read_index(folder: str) -> dict[str, Compiled]:
    """Return what was compiled, by program; nothing if that cannot be read."""
    try:
        entries = json.loads(Path(folder, INDEX).read_text(encoding="utf-8"))
        return {name: Compiled(**entry) for name, entry in entries.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def write_index(folder: str, index: t.Mapping[str, Compiled]) -> None:
    """Note what is compiled, whole or not at all."""
    beside = Path(folder, f"{INDEX}.new")
    entries = {name: vars(known) for name, known in index.items()}
    beside.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    beside.rename(Path(folder, INDEX))


def plan(
    known: Compiled, now: str, builds: t.Mapping[str, str], folders: t.Collection[str]
) -> tuple[list[str], list[str]]:
    """Return the releases to compile and those to forget, for one program. Pure.

    Args:
        known: what the index says.
        now: the program's fingerprint.
        builds: release → what identifies its build.
        folders: entries of the cache folder.

    """
    if known.fingerprint != now or known.system_id not in folders:
        return sorted(builds), sorted(known.releases)
    wanted = [name for name in sorted(builds) if known.releases.get(name) != builds[name]]
    return wanted, sorted(set(known.releases) - set(builds))


def converge_program(
    program: _compilation.Program,
    folder: str,
    releases: str,
    known: Compiled,
    builds: t.Mapping[str, str],
) -> tuple[Compiled, dict[str, int]]:
    """Compile what one program lacks; return what it has then, and how many files were compiled.

    Raises:
        CompilationError: it could not compile.

    """
    now = _compilation.fingerprint(program)
    wanted, gone = plan(known, now, builds, os.listdir(folder))
    have = {name: build for name, build in known.releases.items() if name not in {*wanted, *gone}}
    system, numbers = known.system_id, {}
    for name in gone:
        place = Path(folder, system, *Path(releases, name).parts[1:])
        if system and place.is_dir():
            shutil.rmtree(place)
    for name in wanted:
        system, numbers[name] = _compilation.compile_release(program, folder, Path(releases, name))
        have[name] = builds[name]
    return Compiled(now, system, have), numbers


def preview(
    todo: t.Sequence[_compilation.Program],
    index: t.Mapping[str, Compiled],
    builds: t.Mapping[str, str],
    folder: str,
) -> JsonObject:
    """Return what `converge` would: all it can know without compiling."""
    folders = os.listdir(folder) if os.path.isdir(folder) else []
    compiled: dict[str, dict[str, int]] = {}
    changed = False
    for program in todo:
        known = index.get(program.name, Compiled())
        wanted, gone = plan(known, _compilation.fingerprint(program), builds, folders)
        compiled[program.name] = dict.fromkeys(wanted, 0)
        changed = changed or bool(wanted or gone)
    used = {known.system_id for known in index.values()}
    old = sorted(set(folders) - used - {INDEX})
    return {"changed": changed or bool(old), "compiled": compiled, "removed": old}


def make_dropin(folder: str, ids: t.Iterable[str]) -> str:
    """Return how systemd shows the caches to what runs as a space; empty without any. Pure."""
    mounts = [f"BindReadOnlyPaths=-{folder}/{one}:/run/opcache/{one}\n" for one in sorted(set(ids))]
    if not mounts:
        return ""
    return DROPIN.format(mounts="".join(mounts), fpm=FPM_OPTIONS, cli=CLI_OPTIONS)


def converge_dropins(paths: t.Sequence[str], text: str, *, check: bool) -> list[str]:
    """Write the same text to all paths, or remove them if it is empty; return what changed.

    Raises:
        CompilationError: one could not be written.

    """
    if not text:
        found = [path for path in paths if os.path.lexists(path)]
        for path in () if check else found:
            os.unlink(path)
        return found
    if not check:
        for path in paths:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    plain: File = {
        "space": "",
        "kind": "file",
        "path": "",
        "content": text,
        "uid": 0,
        "gid": 0,
        "mode": 0o644,
    }
    files: list[File] = [{**plain, "space": path, "path": path} for path in paths]
    report = _managed_files.converge(files, check=check, diff=False)
    if report.failures:
        raise _compilation.CompilationError("; ".join(report.failures.values()))
    return sorted(report.changes)


def converge(
    version: str, folder: str, releases: str, dropins: t.Sequence[str], *, check: bool
) -> JsonObject:
    """Have all releases compiled for the PHP of today, and shown to what runs as a space.

    Raises:
        CompilationError: PHP could not be run or compile, or a drop-in not be written.

    """
    nothing: JsonObject = {"changed": False, "compiled": {}, "removed": [], "system_ids": {}}
    result = converge_code(version, folder, releases, check=check) if folder else nothing
    # A check run cannot know the names of caches that are still to be made.
    unknown = check and result["changed"]
    text = make_dropin(folder, result["system_ids"].values())
    changed = [] if unknown else converge_dropins(dropins, text, check=check)
    return {**result, "changed": result["changed"] or bool(changed), "dropins": changed}


def converge_code(version: str, folder: str, releases: str, *, check: bool) -> JsonObject:
    """Have all releases compiled for the PHP of today, and drop what is for others.

    Raises:
        CompilationError: PHP could not be run or compile.

    """
    todo, builds, index = (
        _compilation.list_programs(version),
        read_builds(releases),
        read_index(folder),
    )
    result = preview(todo, index, builds, folder)
    if not check and result["changed"]:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        for program in todo:
            known, numbers = converge_program(
                program, folder, releases, index.get(program.name, Compiled()), builds
            )
            index[program.name], result["compiled"][program.name] = known, numbers
        write_index(folder, index)
        used = {known.system_id for known in index.values()} | {INDEX}
        result["removed"] = sorted(set(os.listdir(folder)) - used)
        for name in result["removed"]:
            path = Path(folder, name)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    ids = {name: known.system_id for name, known in index.items() if known.releases}
    return {**result, "system_ids": ids}
