# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What ends a call of spaces_upgrade is said in a sentence."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report, pack
from ansible_collections.archipel.spaces.plugins.module_utils._operations import _upgrade_job
from ansible_collections.archipel.spaces.plugins.module_utils._system import _systemd
from ansible_collections.archipel.spaces.plugins.modules import spaces_upgrade


class DriverError(Exception):
    """As the driver of the databases raises it."""


def run(monkeypatch, capsys, error: Exception | None = None) -> dict[str, object]:
    """Run the module; what it does is to fail so."""

    def act(_order, *, check):
        if error is not None:
            raise error
        return Report()

    driver = SimpleNamespace(Error=DriverError)
    monkeypatch.setattr(spaces_upgrade, "pymysql", driver, raising=False)
    monkeypatch.setattr(spaces_upgrade, "MISSING", None)
    monkeypatch.setattr(spaces_upgrade, "act", act)
    with patch_module_args({"payload": pack({})}), pytest.raises(SystemExit):
        spaces_upgrade.main()
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    "error",
    [
        _upgrade_job.UpgradeError("said"),
        _journal.JournalError("said"),
        _systemd.SystemdError("said"),
        OSError("said"),
        DriverError("said"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ends_it_is_said(monkeypatch, capsys, error):
    result = run(monkeypatch, capsys, error)
    assert result["failed"]
    assert "said" in str(result["msg"])


def test_what_was_done_is_reported(monkeypatch, capsys):
    assert not run(monkeypatch, capsys)["changed"]
