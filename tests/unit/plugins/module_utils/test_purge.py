# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What goes with a purged space, and what stays with the others."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils import _accounts, _purge, _systemd

DECLARED = """\
u space-data 70001 "Nextcloud space" /srv/spaces/data -
u space-amap 70002 "Nextcloud space" /srv/spaces/amap -
d /srv/spaces/data 0755 0 0
d /srv/spaces/data/data 0750 70001 70001
d /srv/spaces/amap 0755 0 0
d /srv/spaces/amap/data 0750 70002 70002
d /srv/spaces/data-2/data 0750 70003 70003
d /run/archipel/redis/data 0700 70001 70001
"""


@pytest.mark.parametrize("slug", ["data", "amap"])
def test_only_a_space_s_own_declarations_go(tmp_path, monkeypatch, slug):
    """A space may be called like a folder that every space has."""
    path = tmp_path / "archipel-spaces.conf"
    path.write_text(DECLARED)
    written = []
    monkeypatch.setattr(_accounts, "declare", lambda _path, text, check: written.append(text))
    _purge.undeclare(str(path), "/srv/spaces", slug)
    own = (f"u space-{slug} ", f"/srv/spaces/{slug} ", f"/srv/spaces/{slug}/", f"/redis/{slug} ")
    kept = [line for line in DECLARED.splitlines(keepends=True) if not any(o in line for o in own)]
    assert written == ["".join(kept)]
    assert "/srv/spaces/data-2/data" in written[0]


@pytest.mark.parametrize(
    "there",
    [[], ["archipel-accounts.service"], ["archipel-usage.service", "archipel-accounts.service"]],
)
def test_reports_forget_what_is_gone(tmp_path, monkeypatch, there):
    called = []
    monkeypatch.setattr(_systemd, "UNITS", str(tmp_path))
    monkeypatch.setattr(_systemd, "systemctl", lambda *words: called.append(words))
    for name in there:
        (tmp_path / name).touch()
    _purge.report_again()
    assert called == ([("restart", *there)] if there else [])
