#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ansible module database_replication."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database_replication
short_description: A database server that others follow, one that follows, and the way in between
version_added: 0.1.0
description:
  - Semi-synchronous replication of MariaDB by GTID, over TLS. One server of a cluster is the
    primary; the others have a copy of its databases and accounts, and take no writes.
  - A server that has databases of its own never throws them away for a copy, unless O(discard)
    says so.
options:
  phase:
    description:
      - V(look) says what the server is, and changes nothing.
      - V(primary) lets the replicas in, and waits for them with each commit.
      - V(replica) follows the primary, after a copy of everything where the server has nothing.
      - V(retire) lets a primary that is replaced take no more writes, and ends the spaces'
        connections.
      - V(promote) applies all that was received, follows nobody any more, and takes writes.
      - V(ask) says where O(addresses) take connections, and asks no server of this node.
    type: str
    required: true
    choices: [look, primary, replica, retire, promote, ask]
  socket:
    description: Socket of the server of this node.
    type: path
    default: /run/mysqld/mysqld.sock
  primary:
    description: Address of the primary, as its certificate has it; for V(replica).
    type: str
    default: ""
  port:
    description: Port that servers listen on.
    type: int
    default: 3306
  replicas:
    description: Addresses that replicas come from; for V(primary) and V(promote).
    type: list
    elements: str
    default: []
  password:
    description: Password of the account that replicas come with.
    type: str
    default: ""
  authorities:
    description: File of the authorities that the certificate of the primary must come from.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  wait_seconds:
    description:
      - How long a commit waits for a replica to have it. Then the primary goes on alone, until a
        replica has caught up.
      - V(0) stands for as long as it takes.
    type: int
    default: 10
  discard:
    description: Whether databases of a server that cannot follow are thrown away for a copy.
    type: bool
    default: false
  position:
    description: GTID that a replica must have applied before it is promoted.
    type: str
    default: ""
  apply_seconds:
    description: How long a replica may need to apply what it has received.
    type: int
    default: 300
  addresses:
    description: Addresses that are asked with V(ask).
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description:
      - Says what would be done. Whether the primary knows where this server is, is not tried.
  diff_mode:
    support: none
    description: Nothing is shown.
    details: RV(steps) has what was done, in words.
  idempotent:
    support: full
    description: A second run changes nothing.
requirements: [python3-pymysql, mariadb-client]
"""

EXAMPLES = r"""
- name: Follow the primary
  archipel.spaces.database_replication:
    phase: replica
    primary: 10.0.0.2
    password: "{{ mariadb_replication_password }}"
"""

RETURN = r"""
steps:
  description: What was done (in check mode, would be), in words.
  returned: always
  type: list
  elements: str
  sample: ["copied from 10.0.0.2", "follows 10.0.0.2"]
state:
  description: What the server is now.
  returned: always, but for O(phase=ask)
  type: dict
  sample:
    read_only: true
    position: 0-1-4711
    databases: 812
    follows:
      host: 10.0.0.2
      receives: "Yes"
      applies: "Yes"
      error: ""
      received: 0-1-4711
      lag: 0
position:
  description: GTID of the last transaction, after which nobody has written.
  returned: for O(phase=retire)
  type: str
  sample: 0-1-4711
answers:
  description: Where somebody takes connections.
  returned: for O(phase=ask)
  type: list
  elements: str
  sample: ["10.0.0.2 port 3306"]
"""

import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.archipel.spaces.plugins.module_utils._sql import (
    _replica_copy,
    _replication,
    _replication_run,
)
from ansible_collections.archipel.spaces.plugins.module_utils._system import _connections

try:
    import pymysql

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()

SPEC: dict[str, dict[str, t.Any]] = {
    "phase": {
        "type": "str",
        "required": True,
        "choices": ["look", "primary", "replica", "retire", "promote", "ask"],
    },
    "socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
    "primary": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 3306},
    "replicas": {"type": "list", "elements": "str", "default": []},
    "password": {"type": "str", "default": "", "no_log": True},
    "authorities": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
    "wait_seconds": {"type": "int", "default": 10},
    "discard": {"type": "bool", "default": False},
    "position": {"type": "str", "default": ""},
    "apply_seconds": {"type": "int", "default": 300},
    "addresses": {"type": "list", "elements": "str", "default": []},
}
WORDS = {
    "copy": "copied from {host}, which it follows",
    "follow": "follows {host}",
    "again": "follows {host} instead of another one",
    "start": "follows {host} again",
    "settings": "takes no writes",
}
Options = dict[str, t.Any]


def refusal(options: Options) -> str:
    """Return why nothing is done; empty if it may be."""
    if options["wait_seconds"] < 0:
        return f"wait_seconds: found {options['wait_seconds']}; allowed: 0 or more"
    if options["phase"] == "replica" and not options["primary"]:
        return "primary: missing; allowed: the address of the primary"
    if options["phase"] in ("primary", "replica", "promote") and not options["password"]:
        return "password: missing; allowed: that of the account which replicas come with"
    return ""


def wanted(options: Options) -> _replication.Wanted:
    """Return what the server shall be."""
    return _replication.Wanted(
        primary=options["primary"],
        replicas=options["replicas"],
        password=options["password"],
        wait_ms=options["wait_seconds"] * 1000,
    )


def become_replica(cursor: t.Any, options: Options, *, check: bool) -> list[str]:
    """Let the server follow its primary.

    Raises:
        ReplicationError: it cannot.

    """
    goal, seen = wanted(options), _replication.read(cursor)
    steps = _replication.plan_replica(
        seen, goal, begun=_replica_copy.begun(), discard=options["discard"]
    )
    where = (options["port"], options["authorities"])
    for step in [] if check else steps:
        if step == "settings":
            changes = _replication.plan_settings(seen, primary=False, wait_ms=goal.wait_ms)
            _replication_run.run(cursor, changes)
        elif step == "copy":
            source = _replica_copy.Source(
                goal.primary, where[0], goal.password, where[1], options["socket"]
            )
            _replica_copy.begin(source)
            _replica_copy.copy(cursor, source)
            _replication_run.change_primary(cursor, goal, *where)
            _replication_run.wait_connected(cursor)
            _replica_copy.end()
        elif step == "follow":
            _replication_run.follow(cursor, seen, goal, *where)
        elif step == "again":
            _replication_run.follow_other(cursor, goal, *where)
        else:
            cursor.execute("START SLAVE")
            _replication_run.wait_connected(cursor)
    return [WORDS[step].format(host=goal.primary) for step in steps]


def act(cursor: t.Any, options: Options, *, check: bool) -> dict[str, t.Any]:
    """Do what is asked; return what is reported of it.

    Raises:
        ReplicationError: it cannot be done.

    """
    phase, goal = options["phase"], wanted(options)
    if phase == "replica":
        return {"steps": become_replica(cursor, options, check=check)}
    if phase == "primary":
        steps = _replication.plan_primary(_replication.read(cursor), goal)
        words = [what for what, _statement in steps]
        return {"steps": words if check else _replication_run.run(cursor, steps)}
    if check or phase == "look":
        return {"steps": []}
    if phase == "promote":
        found = _replication_run.promote(
            cursor, goal, options["position"], float(options["apply_seconds"])
        )
        return {"steps": found}
    before = _replication.read(cursor).read_only
    position = _replication_run.retire(cursor)
    return {"steps": [] if before else ["takes no writes any more"], "position": position}


def describe(seen: _replication.Observed) -> dict[str, t.Any]:
    """Return what a server is, as plain values."""
    found = seen.follows
    return {
        "read_only": seen.read_only,
        "position": seen.position,
        "databases": seen.databases,
        "follows": found
        and {
            "host": found.host,
            "receives": found.receives,
            "applies": found.applies,
            "error": found.apply_error or found.receive_error,
            "received": found.received,
            "lag": found.lag,
        },
    }


def attempt(options: Options, *, check: bool) -> dict[str, t.Any]:
    """Do what is asked of the server of this node.

    Raises:
        ReplicationError: it cannot be done.
        pymysql.Error: the server does not answer, or says no.

    """
    with (
        pymysql.connect(unix_socket=options["socket"], user="root", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        done = act(cursor, options, check=check)
        return {**done, "state": describe(_replication.read(cursor))}


def main() -> None:
    """Do what is asked."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    options = module.params
    if reason := refusal(options):
        module.fail_json(msg=reason)
    if options["phase"] == "ask":
        found = _connections.answering(options["addresses"], [options["port"]])
        module.exit_json(changed=False, steps=[], answers=found)
    if MISSING:
        module.fail_json(msg=missing_required_lib("pymysql"), exception=MISSING)
    try:
        done = attempt(options, check=module.check_mode)
    except (pymysql.Error, _replication.ReplicationError, OSError) as error:
        module.fail_json(msg=f"MariaDB at {options['socket']}: {error}")
    module.exit_json(changed=bool(done["steps"]), **done)


if __name__ == "__main__":
    main()
