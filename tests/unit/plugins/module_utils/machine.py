# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A machine whose systemctl a test makes disobey: a program of that name, first in PATH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._system import _standstill, _systemd

PROGRAM = """\
#!/bin/sh
# Options are left out; the first word is the verb, the others are units.
lab=$(dirname "$0")
verb= units=
for word; do
    case $word in
    --*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else units="$units $word"; fi ;;
    esac
done
echo "$verb$units" >> "$lab/calls"
[ -e "$lab/hangs" ] && exec sleep 60
for unit in $units; do
    if [ "$verb" = show ]; then
        [ -e "$lab/mute" ] && continue
        state=inactive
        [ -e "$lab/units/$unit" ] && state=$(cat "$lab/units/$unit")
        printf 'Id=%s\\nActiveState=%s\\n\\n' "$unit" "$state"
    elif [ -e "$lab/refuses" ] && grep -qxF -e "$unit" -e all "$lab/refuses"; then
        echo "Job for $unit failed." >&2
        exit 1
    elif [ "$verb" = stop ]; then
        [ -e "$lab/lies" ] && grep -qxF "$unit" "$lab/lies" || rm -f "$lab/units/$unit"
    fi
done
"""


def refusing(*refused: str) -> tuple[Callable[..., str], list[tuple[str, ...]]]:
    """Return a systemctl that refuses calls in which one of these units is, and what it did."""
    done: list[tuple[str, ...]] = []

    def systemctl(*arguments: str) -> str:
        if set(refused) & set(arguments):
            raise _systemd.SystemdError("Job failed")
        done.append(arguments)
        return ""

    return systemctl, done


class Machine:
    """What runs on it, and whom its systemctl obeys."""

    def __init__(self, lab: Path) -> None:
        self.lab = lab
        (lab / "units").mkdir(parents=True)
        (lab / "proc").mkdir()
        (lab / "systemctl").write_text(PROGRAM)
        (lab / "systemctl").chmod(0o755)

    def run(self, *units: str, state: str = "active") -> None:
        """Let units run."""
        for unit in units:
            (self.lab / "units" / unit).write_text(state)

    def running(self) -> set[str]:
        """Return the units that run."""
        return {path.name for path in (self.lab / "units").iterdir()}

    def refuse(self, *units: str) -> None:
        """Let systemctl say no for units, or for all."""
        (self.lab / "refuses").write_text("".join(f"{unit}\n" for unit in units))

    def lie(self, *units: str) -> None:
        """Let systemctl say yes, and let the units run on."""
        (self.lab / "lies").write_text("".join(f"{unit}\n" for unit in units))

    def break_down(self, how: str) -> None:
        """Let systemctl hang (`hangs`), or say nothing of any unit (`mute`)."""
        (self.lab / how).touch()

    def obey(self) -> None:
        """Let all be well again."""
        for name in ("refuses", "lies", "hangs", "mute"):
            (self.lab / name).unlink(missing_ok=True)

    def process(self, pid: int, user: int, name: str = "php", unit: str = "", state: str = "S"):
        """Let a process run."""
        folder = self.lab / "proc" / str(pid)
        folder.mkdir()
        uids = "\t".join([str(user)] * 4)
        text = f"Name:\t{name}\nState:\t{state} (x)\nPid:\t{pid}\nUid:\t{uids}\nGid:\t{uids}\n"
        (folder / "status").write_text(text)
        (folder / "cgroup").write_text(f"0::/system.slice/{unit}\n" if unit else "0::/\n")

    def calls(self, verb: str) -> list[str]:
        """Return the units of each call with a verb."""
        lines = (self.lab / "calls").read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.split(" ")[0] == verb]


def own_journals(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep journals and locks in a folder of the test's."""
    for name in ("path_of", "read", "exists", "write", "remove", "under_way"):
        act: Any = getattr(_journal, name)
        monkeypatch.setattr(act, "__defaults__", (str(folder / "life"),))
    lock: Any = _journal.exclusive
    monkeypatch.setattr(lock.__wrapped__, "__defaults__", (str(folder / "locks"),))


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    """Return a machine on which nothing runs."""
    found = Machine(tmp_path / "machine")
    monkeypatch.setenv("PATH", str(found.lab), prepend=":")
    monkeypatch.setattr(_standstill, "FOLDER", str(tmp_path / "still"))
    monkeypatch.setattr(_standstill, "PROC", str(found.lab / "proc"))
    monkeypatch.setattr(_standstill, "GRACE", 0.0)
    return found
