# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an attack is, and a defence."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The ways in which a space runs code: a web request, its jobs, a command of occ.
WEB, JOB, OCC = "web", "job", "occ"
WAYS = (WEB, JOB, OCC)
# What answers that are no success look like: the name of an error, or what was not there.
ABSENT = "absent"
REFUSALS = frozenset(
    "EACCES EPERM EROFS ENOENT ENOTDIR ENXIO ESRCH EAFNOSUPPORT ENOSYS EHOSTUNREACH"
    f" ENETUNREACH EXDEV {ABSENT}".split()
)


@dataclass(frozen=True)
class Attack:
    """Something that one space tries against others, or against its node.

    Attributes:
        does: a sentence whose subject is the space.
        program: sets `answer`, empty where it succeeded; see PRELUDE of the attacker.
        defences: names of what stands in its way. It fails while one of them stands, and succeeds
            without any of them.
        ways: in which it is tried.
        php: it is in PHP and not in Python.
        far: the space is on the second node.

    """

    does: str
    program: str
    defences: tuple[str, ...]
    ways: tuple[str, ...] = WAYS
    refusals: frozenset[str] = REFUSALS
    php: bool = False
    far: bool = False


@dataclass(frozen=True)
class Defence:
    """What keeps spaces apart, and how it is taken away on a node and put back.

    Attributes:
        stands: the directive, mode or rule, as documents name it.
        where: the file of the project that it is in, or the module that makes it.
        edits: (files, pattern, replacement): lines of the node's files, put back as they were.
        remove: a command of a shell, beside the edits.
        restore: what undoes that.
        apply: what makes changed files count, both times.
        ways: those that its removal opens; others do not come by it.

    """

    stands: str
    where: str
    edits: tuple[tuple[str, str, str], ...] = ()
    remove: str = ""
    restore: str = ""
    apply: str = ""
    ways: tuple[str, ...] = WAYS

    @property
    def shown(self) -> str:
        """The directive as code, or the sentence as it is."""
        return f"`{self.stands}`" if re.fullmatch(r"[A-Z]\w+(=\S*)?", self.stands) else self.stands
