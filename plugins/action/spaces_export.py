# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Have the archive of a space written on its node, and bring it here in a stream.

`fetch` with privileges reads a file into memory, on both sides. Here an ssh of the connection's own
making writes into the part file; other connections bring it in pieces.
"""

from __future__ import annotations

import base64
import os
import select
import shlex
import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.module_utils._operations import _export
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options, _transfer

# Bytes brought at a time where there is no stream; a third more as text, several times in memory.
PIECE = 8 << 20
# Seconds without a byte after which a stream counts as broken.
SILENCE = 60


class ActionModule(ActionBase):
    """Write, bring, verify."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Run the module, and bring its archive where a folder for it is named.

        Raises:
            AnsibleActionFail: the archive cannot be brought here, or an option is unknown.

        """
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        _options.refuse_unknown("spaces_export", arguments, _export.OPTIONS)
        folder = arguments.pop("dest", "")
        result = self._execute_module(
            module_name="archipel.spaces.spaces_export",
            module_args=arguments,
            task_vars=task_vars,
        )
        absent = arguments.get("state") == "absent"
        if result.get("failed") or absent or not folder or self._task.check_mode:
            return result
        target = Path(folder, f"{arguments['space']}.tar.gz")
        wanted = _transfer.Wanted(result["path"], result["size"], result["sha256"])
        try:
            had = _transfer.bring(self._source(wanted.path), target, wanted)
        except (_transfer.TransferError, OSError) as error:
            raise AnsibleActionFail(f"{arguments['space']}: {error}") from error
        return {**result, "dest": str(target), "resumed_at": had}

    def _source(self, path: str) -> _transfer.Source:
        """Return how a file of the node is read from an offset on."""
        if self._streams():
            return lambda offset: self._stream(path, offset)
        return lambda offset: self._pieces(path, offset)

    def _streams(self) -> bool:
        """Tell whether an ssh of our own gets in: one that has to be asked for no password."""
        connection = self._connection
        if connection.transport != "ssh" or connection.get_option("password"):
            return False
        if not self._becomes():
            return True
        return bool(
            connection.become.name == "sudo" and not connection.become.get_option("become_pass")
        )

    def _becomes(self) -> bool:
        """Tell whether a command is run as another user; Ansible decides it in the same way."""
        if self._connection.become is None:
            return False
        user, wanted = self._get_remote_user(), self.get_become_option("become_user")
        return bool(constants.BECOME_ALLOW_SAME_USER) or user != wanted or not (user or wanted)

    def _stream(self, path: str, offset: int) -> t.Iterator[bytes]:
        """Read the rest of a file through the connection's own ssh.

        Raises:
            Broken: the stream ended before its time
             what came is to be kept.:

        """
        connection, mark = self._connection, b""
        remote = f"tail -c +{offset + 1} -- {shlex.quote(path)}"
        if self._becomes():
            remote = connection.become.build_become_command(remote, connection._shell)
            # become says in a line of its own that it has succeeded.
            mark = f"{connection.become.success}\n".encode()
        program = connection.get_option("ssh_executable")
        command = connection._build_command(program, "ssh", connection.host, remote)
        with tempfile.TemporaryFile() as said:
            options: dict[str, t.Any] = {"stdin": subprocess.DEVNULL, "stderr": said}
            with subprocess.Popen(command, stdout=subprocess.PIPE, **options) as process:
                try:
                    yield from without(mark, read(process))
                finally:
                    process.kill()
            said.seek(0)
            # Who has read to the end has not been killed.
            if process.returncode != 0:
                words = said.read().decode("utf-8", "replace").strip()[-300:]
                raise _transfer.Broken(words or f"ssh ended with {process.returncode}")

    def _pieces(self, path: str, offset: int) -> t.Iterator[bytes]:
        """Read the rest of a file piece by piece, as text.

        Raises:
            Broken: a piece cannot be read.

        """
        while True:
            command = (
                f"tail -c +{offset + 1} -- {shlex.quote(path)} | head -c {PIECE} | base64 -w 0"
            )
            done = self._low_level_execute_command(command)
            if done["rc"] != 0:
                raise _transfer.Broken(str(done["stderr"]).strip()[-300:])
            data = base64.b64decode(done["stdout"])
            if not data:
                return
            offset += len(data)
            yield data


def read(process: subprocess.Popen[bytes]) -> t.Iterator[bytes]:
    """Return what a process says, piece by piece, until its end.

    Raises:
        Broken: it has said nothing for too long.

    """
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    while True:
        if not select.select([descriptor], [], [], SILENCE)[0]:
            raise _transfer.Broken(f"nothing came for {SILENCE} seconds")
        data = os.read(descriptor, _transfer.BLOCK)
        if not data:
            process.wait()
            return
        yield data


def without(mark: bytes, pieces: t.Iterator[bytes]) -> t.Iterator[bytes]:
    """Return pieces without the line at their beginning that become writes.

    Raises:
        Broken: they do not begin with it.

    """
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(mark):
            break
    if head and not head.startswith(mark):
        raise _transfer.Broken(f"become did not succeed: {head[:200]!r}")
    # Nothing at all: how the program ended says why.
    if rest := head[len(mark) :]:
        yield rest
    yield from pieces
