# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A kernel that keeps project quotas in a dictionary, and a node with one space on it."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import (
    _filesystem,
    _quotactl,
    _quotas,
)

GIB = 1 << 30
ID = 70003
TREES = ("data", "tmp")


@dataclass
class Kernel:
    """Files' projects by inode, projects' limits; use is what carries the number."""

    limits: dict[int, tuple[int, int]] = field(default_factory=dict)
    tags: dict[int, _quotactl.Tag] = field(
        default_factory=lambda: defaultdict(lambda: _quotactl.Tag(0, inherit=False))
    )
    use: dict[int, tuple[int, int]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuses: set[int] = field(default_factory=set)

    def state(self, _descriptor):
        return True, True

    def read(self, _descriptor, project):
        used, files = self.use.get(project, (0, 0))
        files += sum(tag.project == project for tag in self.tags.values())
        return _quotactl.Quota(used, files, *self.limits.get(project, (0, 0)))

    def limit(self, _descriptor, project, limit_bytes, limit_files):
        if project in self.refuses:
            raise OSError(5, "Input/output error")
        self.calls.append("limit")
        self.limits[project] = (limit_bytes, limit_files)

    def tag(self, descriptor):
        return self.tags[os.fstat(descriptor).st_ino]

    def set_tag(self, descriptor, wanted):
        self.calls.append("tag")
        self.tags[os.fstat(descriptor).st_ino] = wanted

    def tag_of(self, path):
        return self.tags[os.stat(path).st_ino]


@pytest.fixture
def kernel(monkeypatch) -> Kernel:
    kernel = Kernel()
    for name in ("state", "read", "limit", "tag", "set_tag"):
        monkeypatch.setattr(_quotactl, name, getattr(kernel, name))
    monkeypatch.setattr(_quotas, "read_claims", dict)
    return kernel


@pytest.fixture
def node(tmp_path, monkeypatch) -> Path:
    """The folder of the spaces, on an ext4 that keeps limits, with one space."""
    root = tmp_path / "spaces"
    for tree in TREES:
        (root / "velo-ecole" / tree).mkdir(parents=True)
    found = _filesystem.Filesystem(str(root), "/", "ext4", "/dev/vdb", True, True)
    monkeypatch.setattr(_filesystem, "find", lambda _root: found)
    return root


def item(node: Path, slug="velo-ecole", number=ID, storage_gb=40):
    limit = storage_gb * GIB
    paths = [str(node / slug / tree) for tree in TREES]
    return {"space": slug, "id": number, "paths": paths, "bytes": limit, "files": limit // 16384}


def converge(node, *wanted, check=False, backend="auto", **options):
    options = {"allow_over": False, "verify": False, **options}
    ids = [each["id"] for each in wanted]
    return _quotas.converge(wanted, ids, str(node), backend, check=check, **options)
