# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What nginx reads: tried as a whole before any of it takes the place of the old.

nginx that runs keeps what it has when it is handed something wrong. Its next start does not: one
wrong line, and a reboot leaves all the spaces of a node without an answer. So a folder is made
that holds what would be there, and nginx is asked about it, in a mount namespace in which that
folder is /etc/nginx. It is made of copies, 0.03 s with a thousand vhosts, 0.3 s with ten thousand:
links would be faster, and change the times of the files that nginx reads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

DIRECTORY = "/etc/nginx"
STAGES = "/etc/archipel"
PREFIX = ".nginx-"
# Seconds after which a stage was left behind by a run that was killed.
ABANDONED = 3600
NO_NAMESPACE = 77
TRY = """
mount --bind "$1" "$2" || exit 77
exec nginx -t -q
"""


class NginxError(Exception):
    """The configuration could not be tried."""


def is_ours(path: str) -> bool:
    """Tell whether nginx reads a file. Pure."""
    return path.startswith(f"{DIRECTORY}/")


class Stage:
    """A copy of nginx's folder in which files are exchanged, and which nginx is asked about."""

    def __init__(self, folder: str) -> None:
        self.folder = f"{folder}/nginx"
        shutil.copytree(DIRECTORY, self.folder, symlinks=True, copy_function=shutil.copyfile)

    def _path(self, path: str) -> Path:
        return Path(self.folder) / os.path.relpath(path, DIRECTORY)

    def put(self, path: str, content: str) -> None:
        """Exchange a file."""
        place = self._path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(content, encoding="utf-8")

    def take_back(self, path: str) -> None:
        """Undo that."""
        self._path(path).unlink()
        if os.path.lexists(path):
            shutil.copyfile(path, self._path(path))

    def refusal(self) -> str:
        """Return why nginx refuses what is staged; empty if it takes it.

        Raises:
            NginxError: it could not be asked.

        """
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", TRY, "sh"]
        done = subprocess.run(
            [*command, self.folder, DIRECTORY], capture_output=True, text=True, check=False
        )
        said = done.stderr.strip()[-1500:]
        if done.returncode == NO_NAMESPACE or said.startswith("unshare:"):
            raise NginxError(
                f"the configuration of nginx cannot be tried before it is put in place ({said}): "
                "run as root, on a node that may make mount namespaces"
            )
        return said or "no reason said" if done.returncode else ""


def forget_abandoned() -> None:
    """Remove what runs that were killed left behind."""
    with os.scandir(STAGES) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and time.time() - entry.stat().st_mtime > ABANDONED:
                shutil.rmtree(entry.path)


def find_order(files: t.Mapping[str, str], *, stepwise: bool = True) -> list[str]:
    """Return the order in which files are put in place, so that nginx would always start.

    Where what is there is refused already, nothing is protected: what is wrong may be mended by it.

    Args:
        files: path → content, all below nginx's folder.
        stepwise: files may need each other; else any order is right.

    Raises:
        NginxError: nginx would refuse the whole.

    """
    if not files or not os.path.exists(f"{DIRECTORY}/nginx.conf") or not shutil.which("nginx"):
        return list(files)
    os.makedirs(STAGES, exist_ok=True)
    forget_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=STAGES) as folder:
        stage = Stage(folder)
        if stepwise and len(files) > 1:
            order = find_steps(stage, files)
        else:
            order = list(files)
            for path, content in files.items():
                stage.put(path, content)
        if reason := stage.refusal():
            for path in files:
                stage.take_back(path)
            if not stage.refusal():
                raise NginxError(
                    f"nginx would refuse the configuration of this run ({reason}): it keeps the "
                    "one it has, and none of these files was changed: "
                    + ", ".join(sorted(files)[:5])
                )
    return order


def find_steps(stage: Stage, files: t.Mapping[str, str]) -> list[str]:
    """Stage all files; return them in an order in which each step is taken by nginx.

    Those that only go together come last: a run that dies between them is the price.
    """
    order: list[str] = []
    left = list(files)
    while left:
        before = len(left)
        for path in list(left):
            stage.put(path, files[path])
            if stage.refusal():
                stage.take_back(path)
            else:
                order.append(path)
                left.remove(path)
        if len(left) == before:
            break
    for path in left:
        stage.put(path, files[path])
    return [*order, *left]
