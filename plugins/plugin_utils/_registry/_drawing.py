# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether some bytes are an SVG that shows itself, and nothing else. Pure.

What browsers do with a drawing grows with every release: elements of SVG that are not known to be
harmless are refused, and so is everything that leads outside the file.
"""

from __future__ import annotations

import codecs
import re
import typing as t
from xml.parsers import expat

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _

_SVG = "http://www.w3.org/2000/svg"
# Vocabularies of drawing programs are passed over by browsers; this one is not.
_XHTML = "http://www.w3.org/1999/xhtml"
_HARMLESS = frozenset(
    {
        *("svg", "g", "defs", "symbol", "use", "switch", "view", "title", "desc", "metadata"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "image", "marker"),
        *("text", "tspan", "textPath", "style", "linearGradient", "radialGradient", "stop"),
        *("pattern", "clipPath", "mask", "filter", "feBlend", "feColorMatrix", "feComposite"),
        *("feComponentTransfer", "feConvolveMatrix", "feDiffuseLighting", "feDisplacementMap"),
        *("feDistantLight", "feDropShadow", "feFlood", "feFuncA", "feFuncB", "feFuncG", "feFuncR"),
        *("feGaussianBlur", "feMerge", "feMergeNode", "feMorphology", "feOffset", "fePointLight"),
        *("feSpecularLighting", "feSpotLight", "feTile", "feTurbulence"),
    }
)
# Copies of copies grow beyond measure: so many make sixty thousand at most.
_MOST_COPIES = 30
_DEEPEST = 100
_PICTURES = ("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp")
# In a style, what fetches something, or could hide that it does.
_FETCHES = re.compile(
    r"@import|@namespace|\\|(?:image-set|image|src|cross-fade|element|expression)\s*\(|-moz-binding"
    r"|behavior\s*:",
    re.IGNORECASE,
)
_URL = re.compile(r"url\s*\(\s*['\"]?\s*(?!['\"#\s])", re.IGNORECASE)


class _Refused(Exception):  # noqa: N818 - a reason, caught below
    """Why it is no harmless drawing."""


def check(data: bytes) -> str:
    """Return why some bytes are no harmless SVG; empty if they are one."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _("it is not written in UTF-8")
    if b"\0" in data:
        return _("it is not written in UTF-8")
    try:
        _Reader().read(data)
    except _Refused as reason:
        return str(reason)
    except expat.ExpatError:
        return _("its content is no {kind}", kind="svg")
    return ""


class _Reader:
    """Looks at each part as the parser comes to it."""

    def __init__(self) -> None:
        self._depth = self._copies = 0
        self._style: list[str] | None = None

    def read(self, data: bytes) -> None:
        parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(data, True)

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """Take the declaration of XML.

        Raises:
            _Refused: it is in another encoding.

        """
        if (encoding or "utf-8").lower() not in {"utf-8", "us-ascii"}:
            raise _Refused(_("it is not written in UTF-8"))

    def _doctype(self, *_declared: t.Any) -> t.NoReturn:
        """Take a document type.

        Raises:
            _Refused: always
             entities come with it.:

        """
        raise _Refused(_("it declares a document type, entities or a style sheet"))

    def _instruction(self, *_instruction: str) -> t.NoReturn:
        """Take a processing instruction.

        Raises:
            _Refused: always
             a style sheet may come with it.:

        """
        raise _Refused(_("it declares a document type, entities or a style sheet"))

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element.

        Raises:
            _Refused: it could run or fetch something, or is none of SVG.

        """
        space, _blank, local = name.rpartition(" ")
        if self._depth == 0 and (local != "svg" or space not in {"", _SVG}):
            raise _Refused(_("its content is no {kind}", kind="svg"))
        self._depth += 1
        if space == _XHTML or (space in {"", _SVG} and local not in _HARMLESS):
            raise _Refused(
                _("it holds the element {name}, which could run or fetch something", name=local)
            )
        self._copies += local == "use"
        if self._copies > _MOST_COPIES or self._depth > _DEEPEST:
            raise _Refused(_("it repeats or nests its parts too often"))
        if local == "style":
            self._style = []
        for key, value in attributes.items():
            _check_attribute(local, key.rpartition(" ")[2], value)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._style is not None and name.rpartition(" ")[2] == "style":
            _check_style("".join(self._style))
            self._style = None

    def _text(self, text: str) -> None:
        if self._style is not None:
            self._style.append(text)


def _check_attribute(element: str, name: str, value: str) -> None:
    """Look at one attribute of an element.

    Raises:
        _Refused: it could run something, or leads outside.

    """
    if name.lower().startswith("on"):
        raise _Refused(_("it holds the attribute {name}, which could run something", name=name))
    plain = value.strip()
    inside = not plain or plain.startswith("#")
    picture = element == "image" and plain.lower().startswith(_PICTURES)
    if name in {"href", "src", "base"} and not (inside or (name == "href" and picture)):
        raise _Refused(_("it refers to something outside itself"))
    _check_style(value, url_only=name != "style")


def _check_style(text: str, *, url_only: bool = False) -> None:
    """Look at a text of CSS.

    Raises:
        _Refused: it leads outside.

    """
    if _URL.search(text) or (not url_only and _FETCHES.search(text)):
        raise _Refused(_("it refers to something outside itself"))
