# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The script that PHP is started with: it waits for Redis, but not for ever."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/spaces/files/with-redis.sh"
# Answers at the call whose number is in the file beside it.
CLIENT = """#!/bin/sh
echo "$*" >> {folder}/calls
[ "$(wc -l < {folder}/calls)" -lt "$(cat {folder}/from)" ] || echo PONG
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "redis-cli").write_text(CLIENT.format(folder=tmp_path))
    (tmp_path / "redis-cli").chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin"}


def command(*words: str) -> list[str]:
    return ["sh", str(SCRIPT), "/run/x/redis.sock", "2", *words]


def test_the_command_begins_when_redis_answers(environment, tmp_path: Path):
    (tmp_path / "from").write_text("3")
    done = subprocess.run(
        command("printf", "%s|", "a b", ""), env=environment, capture_output=True, check=True
    )
    assert done.stdout == b"a b||"
    assert (tmp_path / "calls").read_text() == "-s /run/x/redis.sock ping\n" * 3


def test_a_redis_that_never_comes_does_not_keep_it_back_for_ever(environment, tmp_path: Path):
    (tmp_path / "from").write_text("100000")
    done = subprocess.run(
        command("echo", "begun"), env=environment, capture_output=True, check=True, timeout=60
    )
    assert done.stdout == b"begun\n"
    assert len((tmp_path / "calls").read_text().splitlines()) > 2


def test_to_be_stopped_meanwhile_is_no_failure(environment, tmp_path: Path):
    """Systemd sends what stops PHP."""
    (tmp_path / "from").write_text("100000")
    # What a shell has started in the background ignores the signal, and so do its children.
    heeding = ["env", "--default-signal=QUIT", *command("echo", "begun")]
    with subprocess.Popen(heeding, env=environment, stdout=subprocess.PIPE) as one:
        while not (tmp_path / "calls").exists():
            time.sleep(0.01)
        one.send_signal(signal.SIGQUIT)
        said, _ = one.communicate(timeout=60)
    assert (one.returncode, said) == (0, b"")
