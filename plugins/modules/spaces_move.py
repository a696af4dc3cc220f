#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module spaces_move."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spaces_move
short_description: One phase of moving spaces from one node to another
version_added: 0.1.0
description:
  - What C(playbooks/move.yml) does on one node, for some spaces at once, a bounded number at a
    time. A space that fails does not stop the others.
  - The node that a space leaves has a journal of it. Each phase can be repeated.
options:
  phase:
    description:
      - V(look) reads which moves are under way here.
      - V(prepare), V(copy), V(take), V(settle), V(check) and V(forget) are for the node that
        spaces come to, in this order; V(forget) removes what has come of one that does not come.
      - V(offer), V(close), V(leave) and V(give_up) are for the node that they leave; V(give_up)
        opens a space again that the other node has not taken.
      - V(discard), V(put_back) and V(retire) are for what a node has kept of a space that has
        moved; V(drop) removes its former database and accounts from their server.
    type: str
    required: true
    choices:
      - look
      - prepare
      - copy
      - take
      - settle
      - check
      - forget
      - offer
      - close
      - leave
      - give_up
      - discard
      - put_back
      - retire
      - drop
  spaces:
    description: The spaces.
    type: list
    elements: dict
    default: []
    suboptions:
      slug:
        description: Its slug.
        type: str
        required: true
      id:
        description: Number of its user and its storage.
        type: int
        default: 0
      release:
        description: Release that it runs.
        type: str
        default: ""
      database_from:
        description: Node that has its database.
        type: str
        default: ""
      database_to:
        description: Node that is to have it; another one, and it is written down and loaded there.
        type: str
        default: ""
      bytes:
        description: What it stores.
        type: int
        default: 0
      public:
        description: Public half of the key that fetches it.
        type: str
        default: ""
      peer:
        description:
          - The other node, with name, address, host_key, and the addresses that it comes from as
            sources.
        type: dict
        default: {}
      host:
        description: Host name under which it is asked whether it answers.
        type: str
        default: ""
      version:
        description: Version that it must answer with.
        type: str
        default: ""
      hosts:
        description: Addresses that accounts are bound to which nobody uses any more.
        type: list
        elements: str
        default: []
      drop_database:
        description: Whether its database goes from this server.
        type: bool
        default: false
  address:
    description: Address at which this node is reached by the others.
    type: str
    default: ""
  port:
    description: Port at which it is reached while spaces move.
    type: int
    default: 8322
  https_port:
    description: Port of nginx.
    type: int
    default: 443
  parallel:
    description: Spaces that are worked on at the same time.
    type: int
    default: 4
  jobs_seconds:
    description: Seconds for which jobs that are running may go on before a space is closed.
    type: int
    default: 300
  root:
    description: Folder of the spaces.
    type: path
    default: /srv/spaces
  vhosts:
    description: Folder of nginx's files of the spaces.
    type: path
    default: /etc/nginx/archipel
  database_socket:
    description: Socket of the database server of this node.
    type: path
    default: /run/mysqld/mysqld.sock
  database_ca:
    description: Authorities that the certificate of a database on another node must come from.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
attributes:
  check_mode:
    support: none
    description: Nothing is said of what would be done.
    details: The playbook says what would move, and calls no phase then.
  diff_mode:
    support: none
    description: There is nothing to compare.
    details: A whole space moves.
  idempotent:
    support: full
    description: A phase that is done is not done again.
author:
  - The Archipel contributors
"""

EXAMPLES = r"""
- name: See which spaces are on their way
  archipel.spaces.spaces_move:
    phase: look
"""

RETURN = r"""
spaces:
  description:
    - What was changed (in check mode, would be), by slug. Only changed spaces are listed.
    - Here, what each phase returns; of V(look) the journals.
  returned: always
  type: dict
  sample: {"velo-ecole": {"step": "copying", "host_key": "ssh-ed25519 AAAA", "seconds": 1.2}}
failed_spaces:
  description:
    - Why a space could not be converged, by slug.
    - The module itself does not fail for them.
  returned: always
  type: dict
"""

import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archipel.spaces.plugins.module_utils._core import _journal, _layout
from ansible_collections.archipel.spaces.plugins.module_utils._operations import (
    _backup,
    _move_channel,
    _move_job,
    _move_kept,
    _move_source,
    _move_target,
    _purge,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database
from ansible_collections.archipel.spaces.plugins.module_utils._system import _projects, _systemd

Options = dict[str, t.Any]
# Not on a disk: the password of a distant database is there for as long as a phase takes.
MEMORY = "/run"
SPACE = {
    "slug": {"type": "str", "required": True},
    "id": {"type": "int", "default": 0},
    "release": {"type": "str", "default": ""},
    "database_from": {"type": "str", "default": ""},
    "database_to": {"type": "str", "default": ""},
    "bytes": {"type": "int", "default": 0},
    "public": {"type": "str", "default": ""},
    "peer": {"type": "dict", "default": {}},
    "host": {"type": "str", "default": ""},
    "version": {"type": "str", "default": ""},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "drop_database": {"type": "bool", "default": False},
}
PHASES = (
    *("look", "prepare", "copy", "take", "settle", "check", "forget", "offer", "close", "leave"),
    *("give_up", "discard", "put_back", "retire", "drop"),
)
SPEC = {
    "phase": {"type": "str", "required": True, "choices": list(PHASES)},
    "spaces": {"type": "list", "elements": "dict", "default": [], "options": SPACE},
    "address": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 8322},
    "https_port": {"type": "int", "default": 443},
    "parallel": {"type": "int", "default": 4},
    "jobs_seconds": {"type": "int", "default": 300},
    "root": {"type": "path", "default": _layout.Places.root},
    "vhosts": {"type": "path", "default": _layout.Places.vhosts},
    "database_socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
    "database_ca": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
}
ERRORS = (
    *(_move_job.MoveError, _database.DatabaseError, _journal.JournalError, _purge.PurgeError),
    *(_systemd.SystemdError, _projects.ProjectError, OSError),
)


def job_of(node: _backup.Node, space: Options, options: Options) -> _move_job.Job:
    """Return what a phase works on. Pure."""
    peer = space["peer"]
    return _move_job.Job(
        node,
        space["slug"],
        space["id"],
        _move_job.Peer(
            str(peer.get("name", "")),
            str(peer.get("address", "")),
            options["port"],
            str(peer.get("host_key", "")),
            tuple(map(str, peer.get("sources", ()))),
        ),
        database_from=space["database_from"],
        database_to=space["database_to"],
        release=space["release"],
        public=space["public"],
        jobs_seconds=options["jobs_seconds"],
    )


def act(job: _move_job.Job, space: Options, options: Options) -> Options:
    """Do a phase for one space; return what came of it."""
    acts: dict[str, t.Callable[[], t.Any]] = {
        "prepare": lambda: {"public": _move_target.prepare(job, space["bytes"])},
        "copy": lambda: _move_target.copy(job),
        "take": lambda: _move_target.take(job),
        "settle": lambda: {"done": _move_target.settle(job)},
        "check": lambda: _move_target.check(
            job, space["host"], options["https_port"], space["version"]
        ),
        "forget": lambda: _move_target.forget(job),
        "offer": lambda: _move_source.offer(job),
        "close": lambda: _move_source.close(job),
        "leave": lambda: _move_source.leave(job),
        "give_up": lambda: {"opened": _move_source.give_up(job)},
        "discard": lambda: _move_kept.discard(job),
        "put_back": lambda: _move_kept.put_back(job),
        "retire": lambda: _move_kept.retire(job),
        "drop": lambda: {
            "done": _move_kept.drop(
                *(options["database_socket"], job.slug, space["hosts"]),
                database=space["drop_database"],
            )
        },
    }
    return dict(acts[options["phase"]]() or {})


def attempt(node: _backup.Node, space: Options, options: Options) -> Options | str:
    """Do a phase for one space; return what came of it, or why not."""
    began = time.monotonic()
    if not _backup.SLUG.fullmatch(space["slug"]):
        return f"found the space {space['slug']!r}; allowed: a slug"
    try:
        found = act(job_of(node, space, options), space, options)
    except ERRORS as error:
        return str(error)
    return {**found, "seconds": round(time.monotonic() - began, 2)}


def run(options: Options) -> Options:
    """Do a phase for all spaces that are asked for, a bounded number at a time.

    Raises:
        MoveError: nobody can fetch anything from this node.

    """
    result: Options = {"spaces": {}, "failed_spaces": {}}
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="archipel-move-") as work:
        ca, socket = options["database_ca"], options["database_socket"]
        node = _backup.Node(options["root"], options["vhosts"], work, socket, ca)
        if options["phase"] == "offer" and options["spaces"]:
            _move_channel.listen(options["address"], options["port"])
        with ThreadPoolExecutor(max_workers=options["parallel"]) as pool:
            done = pool.map(lambda space: attempt(node, space, options), options["spaces"])
            for space, found in zip(options["spaces"], done, strict=True):
                kind = "failed_spaces" if isinstance(found, str) else "spaces"
                result[kind][space["slug"]] = found
    return result


def main() -> None:
    """Do one phase."""
    module = AnsibleModule(argument_spec=SPEC)
    try:
        if module.params["phase"] == "look":
            module.exit_json(changed=False, spaces=_move_job.look(), failed_spaces={})
        result = run(module.params)
    except ERRORS as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(result["spaces"]), **result)


if __name__ == "__main__":
    main()
