# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Look for misspelt French, with Debian's hunspell: python -m tools.french.

Words that no dictionary has, and that are right here, are in tools/french-words.txt.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools import french_texts

WORDS = Path(__file__).with_name("french-words.txt")
DICTIONARY = "fr_FR"
# Words that lose their last vowel in front of another one.
ELIDED = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)['’](?=\w)", re.IGNORECASE)
# Names of files and folders, versions, and units of systemd in a sentence.
NAMES = re.compile(r"\b[\w-]+(?:[./][\w-]+)+\b|\b[\w-]+/(?!\w)")
PACKAGES = "hunspell hunspell-fr-classical"


class MissingError(Exception):
    """What is needed is not installed."""


def prepared(text: str) -> str:
    """Return a text with words as the dictionary has them. Pure."""
    return ELIDED.sub(" ", NAMES.sub(" ", text)).replace("’", "'")


def unknown(text: str) -> set[str]:
    """Return the words of a text that the dictionary lacks.

    Raises:
        MissingError: hunspell or its dictionary is not installed.
    """
    if not shutil.which("hunspell"):
        raise MissingError(f"hunspell is not there; on Debian: apt-get install {PACKAGES}")
    done = subprocess.run(
        ["hunspell", "-d", DICTIONARY, "-i", "utf-8", "-l"],
        input=prepared(text),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise MissingError(
            f"{done.stderr.strip().splitlines()[0]}; on Debian: apt-get install {PACKAGES}"
        )
    found = {word.strip("-'.") for word in done.stdout.split()}
    # What has a digit in it is a number or a name: UTF-8, ext4.
    return {word for word in found if word and not re.search(r"\d", word)}


def listed(text: str) -> list[str]:
    """Return the words of the list; a line that begins with # says what follows. Pure."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def places(texts: Mapping[str, str], words: Iterable[str]) -> list[str]:
    """Return a line for each place in which one of these words stands. Pure."""
    found = []
    for word in sorted(words):
        whole = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        for where, text in texts.items():
            for number, line in enumerate(prepared(text).splitlines(), 1):
                if whole.search(line):
                    found.append(f"{where}:{number}: {word}")
    return found


def main() -> int:
    """Say what is misspelt, and which words of the list nobody needs."""
    texts = french_texts.all_texts()
    known = set(listed(WORDS.read_text(encoding="utf-8")))
    try:
        lacking = unknown("\n\n".join(texts.values()))
    except MissingError as error:
        print(error, file=sys.stderr)
        return 1
    wrong, idle = places(texts, lacking - known), sorted(known - lacking)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print(f"Mend these words, or put those that are right into {WORDS.name}.", file=sys.stderr)
    if idle:
        print(f"{WORDS.name}: nobody needs {', '.join(idle)}; remove them.", file=sys.stderr)
    if not wrong and not idle:
        print(f"French: {len(texts)} texts, every word is in the dictionary or in {WORDS.name}")
    return 1 if wrong or idle else 0


if __name__ == "__main__":
    sys.exit(main())
