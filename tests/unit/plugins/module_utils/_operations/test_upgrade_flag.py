# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space is closed for its upgrade, and nothing works in it meanwhile."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from dataclasses import replace

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_flag
from ansible_collections.archipel.spaces.plugins.module_utils._operations._upgrade_job import (
    UpgradeError,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from tests.unit.plugins.module_utils.upgrading import job, read, settings

__all__ = ["settings"]


def test_a_space_is_closed_by_a_file_and_opened_by_its_key(settings):
    one = job(settings)
    _upgrade_flag.raise_flag(one)
    _upgrade_flag.raise_flag(one)
    assert sorted(os.listdir(settings.closed)) == ["amap", f"amap.{'a' * 32}"]
    # Requests that were let in before it closed are refused by Nextcloud itself.
    config_flag = read(f"{one.home}/config/closed.config.php")
    assert "['maintenance' => true]" in config_flag
    assert "hash_equals('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', $_SERVER[" in config_flag
    # nginx may look for a name, and not list them.
    assert os.stat(settings.closed).st_mode & 0o777 == 0o711
    other = f"{settings.closed}/amap-du-val"
    os.mknod(other)
    _upgrade_flag.lower_flag(one)
    _upgrade_flag.lower_flag(one)
    assert os.listdir(settings.closed) == ["amap-du-val"]
    assert os.listdir(f"{one.home}/config") == []


def serve(path, answer):
    """Listen like a Redis; return what was heard."""
    heard, server = [], socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def one():
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(64))
            connection.sendall(answer)

    threading.Thread(target=one, daemon=True).start()
    return heard


def test_redis_forgets_and_is_asked_whether_it_has(settings):
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        one = job(replace(settings, redis=folder))
        # None runs: nothing to forget.
        _upgrade_flag.empty_redis(one)
        os.mkdir(f"{folder}/amap")
        heard = serve(f"{folder}/amap/redis.sock", b"+OK\r\n")
        _upgrade_flag.empty_redis(one)
        assert heard == [b"FLUSHDB\r\n"]
        os.unlink(f"{folder}/amap/redis.sock")
        serve(f"{folder}/amap/redis.sock", b"-NOPERM\r\n")
        with pytest.raises(UpgradeError, match="does not forget"):
            _upgrade_flag.empty_redis(one)


def test_jobs_that_do_not_end_are_waited_for_and_then_said(settings, monkeypatch):
    shown = {"space-cron@amap.service": {"ActiveState": "activating"}}
    monkeypatch.setattr(_systemd, "read_properties", lambda *_: shown)
    with pytest.raises(UpgradeError, match="its jobs have been running"):
        _upgrade_flag.wait_for_jobs(job(replace(settings, jobs_seconds=-1)))
