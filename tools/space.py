# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ask what a new space needs, and write its file: python -m tools.space, or make space.

Never required: the file is plain YAML. On a terminal it asks for what no option says; without one,
options say everything. Nothing is written before all of it is right, and no file is ever
overwritten.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import typing as t
from pathlib import Path

from tools import collection
from tools.check_registry import find_environment, list_environments

collection.importable()

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    RegistryError,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _writing
from tools import space_file as file
from tools.space_file import Answers, Registry

WRONG, STOPPED = 1, 130
# Answer → what it is asked with.
QUESTIONS = {
    "name": mark("Name of the association, as it is written"),
    "slug": mark("Name of the space, which its address begins with"),
    "contact_name": mark("Name of the person who will administer it"),
    "email": mark("Their e-mail address"),
    "office": mark("Office suite"),
    "locale": mark("Language"),
    "status": mark("Status"),
    "by": mark("Who decided"),
}
OPTIONAL = frozenset({"contact_name"})


class Stopped(Exception):  # noqa: N818 - no error: somebody changed their mind
    """Nothing is to be written."""


def ask(registry: Registry, key: str, default: str, choices: t.Sequence[str] = ()) -> str:
    """Return a right answer; a wrong one is said to be so, and asked for again.

    Raises:
        Stopped: nobody answers any more.

    """
    hint = f" ({', '.join(choices)})" if choices else ""
    shown_default = f" [{default}]" if default else ""
    while True:
        question = _("{question}{hint}{default}: ", question=_(QUESTIONS[key]), hint=hint,
                     default=shown_default)  # fmt: skip
        try:
            answer = input(question).strip() or default
        except EOFError as error:
            raise Stopped from error
        if not answer and key in OPTIONAL:
            return ""
        if not (fault := file.find_fault(registry, key, answer)):
            return answer
        print(f"  {fault}")


def list_wanted(registry: Registry, answers: Answers) -> t.Iterator[str]:
    """Yield what has to be known, in the order in which people are asked. `answers` may grow."""
    yield from ("name", "slug")
    if not registry.vaulted:
        yield from ("contact_name", "email")
    yield from ("office", "locale", "status")
    if answers.status == "approved":
        yield "by"


def default_of(registry: Registry, answers: Answers, key: str) -> str:
    """Return what stands for an answer that nobody gives; empty: nothing does."""
    policy = registry.context.policy
    if key == "slug":
        return file.propose(registry, answers.name)
    return {"office": policy.offices[0], "locale": policy.locale, "status": "requested"}.get(
        key, ""
    )


def fill_in(registry: Registry, answers: Answers) -> None:
    """Ask for everything that no option has said.

    Raises:
        Stopped: nobody answers any more.

    """
    choices = {"office": registry.context.policy.offices, "status": file.STATUSES}
    for key in list_wanted(registry, answers):
        if not getattr(answers, key):
            given = ask(registry, key, default_of(registry, answers, key), choices.get(key, ()))
            setattr(answers, key, given)


def complete(registry: Registry, answers: Answers) -> list[str]:
    """Take what stands for missing answers; return what is missing or wrong, by option."""
    found = []
    for key in list_wanted(registry, answers):
        if not getattr(answers, key) and (key != "slug" or answers.name):
            setattr(answers, key, default_of(registry, answers, key))
        value = getattr(answers, key)
        option = f"--{key.replace('_', '-')}"
        # The name of the space is made of the other one.
        if not value and key not in {*OPTIONAL, "slug"}:
            found.append(_("{option}: missing; say it, or run this on a terminal", option=option))
        elif value and (fault := file.find_fault(registry, key, value)):
            found.append(f"{option}: {fault}")
    return found


def confirm(text: str, path: Path) -> None:
    """Show the file, and ask whether it is to be written.

    Raises:
        Stopped: it is not.

    """
    print(f"\n{text}")
    try:
        answer = input(_("Write {file}? [Y/n] ", file=shown(path))).strip().lower()
    except EOFError as error:
        raise Stopped from error
    if answer not in {"", "y", "yes", "o", "oui"}:
        raise Stopped


def tell_next(registry: Registry, answers: Answers, inventory: Path) -> None:
    """Say what is left to do."""
    path = shown(registry.path(answers.slug))
    print(_("Written and right: {file}", file=path))
    print(_("What comes next:"))
    if registry.vaulted:
        contacts = shown(registry.environment.contacts)
        print(f"  ansible-vault edit {contacts}")
        example = f"{answers.slug}: {{email: …, name: …}}"
        print("    " + _("who has the password adds: {line}", line=example))
    print("  " + _("send this file to the team of the platform, by mail or as it asks for it"))
    print("  " + _("or propose it with git:"))
    print(f"    git add {path} && git commit -m {answers.slug}")
    if answers.status == "approved":
        print(f"  ansible-playbook -i {shown(inventory)} playbooks/spaces.yml")
        print("    " + _("who runs the platform makes the space"))


def read_options(arguments: t.Sequence[str] | None) -> argparse.Namespace:
    """Return the options; argparse ends the program where it does not know one."""
    parser = argparse.ArgumentParser(
        prog="make space", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("environment", nargs="?", default="")
    for key, question in QUESTIONS.items():
        parser.add_argument(f"--{key.replace('_', '-')}", default="", help=_(question))
    parser.add_argument("--yes", action="store_true", help=_("write without asking once more"))
    return parser.parse_args(arguments)


def choose_environment(name: str, known: t.Mapping[str, Path]) -> Path:
    """Return the folder of the environment that is meant: the only one that is no example.

    Raises:
        ValueError: it is none, or there are several.

    """
    mine = {one: path for one, path in known.items() if not one.endswith(".example")}
    own = [one for one in mine if one != "demo"] or list(mine)
    if name or len(own) != 1:
        return find_environment(name, known)
    return mine[own[0]]


def make(options: argparse.Namespace, *, asked: bool) -> int:
    """Ask or take the options, check, and write.

    Raises:
        RegistryError: the environment itself is wrong.
        Stopped: nothing is to be written.
        OSError: the file cannot be written.
        ValueError: there is no such environment.

    """
    inventory = choose_environment(options.environment, list_environments())
    registry = file.load(inventory)
    answers = Answers(**{key: getattr(options, key).strip() for key in QUESTIONS})
    # What is wrong with an option is said before anybody is asked anything.
    given = [key for key in QUESTIONS if getattr(answers, key)]
    faults = [(key, file.find_fault(registry, key, getattr(answers, key))) for key in given]
    wrong = [f"--{key.replace('_', '-')}: {fault}" for key, fault in faults if fault]
    if not wrong and asked:
        fill_in(registry, answers)
    wrong = wrong or complete(registry, answers) or file.check(registry, answers)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        print(_("Nothing was written."), file=sys.stderr)
        return WRONG
    text, path = file.compose(registry, answers), registry.path(answers.slug)
    if asked and not options.yes:
        confirm(text, path)
    _writing.create(path, text.encode())
    tell_next(registry, answers, inventory)
    return 0


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Make a file, or say why not."""
    options = read_options(arguments)
    asked = sys.stdin.isatty()
    if asked:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - arrows and deletion work in input()
    try:
        return make(options, asked=asked)
    except (Stopped, KeyboardInterrupt):
        print("\n" + _("Nothing was written."), file=sys.stderr)
        return STOPPED
    except (RegistryError, ValueError, OSError) as error:
        print(f"{error}\n" + _("Nothing was written."), file=sys.stderr)
        return WRONG


if __name__ == "__main__":
    sys.exit(main())
