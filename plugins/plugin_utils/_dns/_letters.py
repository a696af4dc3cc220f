# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What an association must do for its own domains, in its language. Pure."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "ask": "For {domain} to lead to your space, ask whoever manages this domain (where it was "
        "registered, as a rule) to set:",
        "only": "No other A, AAAA or CNAME record may remain under this name.",
        "caa": 'If the domain has CAA records, one of them must be: 0 issue "{authority}"',
        "missing": "{domain} leads nowhere. Ask whoever manages this domain to set: {records}",
        "elsewhere": "{domain} leads to {found}, which is not your space. Ask whoever manages this "
        "domain to set {records} and to remove the other records of this name",
        "forbidden": "The CAA records of {holder} forbid the certificate of {domain}. Ask whoever "
        "manages this domain to add there: {records}",
        "broken": "The name servers of {domain} do not answer ({found}). Ask whoever manages this "
        "domain to look at them, and at DNSSEC if it is signed",
    },
    "fr": {
        "ask": "Pour que {domain} mène à votre espace, demandez à la personne qui gère ce domaine "
        "(en général, chez le bureau d’enregistrement) d’ajouter\u00a0:",
        "only": "Aucun autre enregistrement A, AAAA ou CNAME ne doit rester sous ce nom.",
        "caa": "Si le domaine a des enregistrements CAA, l’un d’eux doit être\u00a0: "
        '0 issue "{authority}"',
        "missing": "{domain} ne mène nulle part. Demandez à la personne qui gère ce domaine "
        "d’ajouter\u00a0: {records}",
        "elsewhere": "{domain} mène à {found}, qui n’est pas votre espace. Demandez à la personne "
        "qui gère ce domaine d’ajouter {records} et de retirer les autres enregistrements de ce "
        "nom",
        "forbidden": "Les enregistrements CAA de {holder} interdisent le certificat de {domain}. "
        "Demandez à la personne qui gère ce domaine d’y ajouter\u00a0: {records}",
        "broken": "Les serveurs de noms de {domain} ne répondent pas ({found}). Demandez à la "
        "personne qui gère ce domaine de les vérifier, et DNSSEC s’il est signé",
    },
}


def ask_for_records(
    domains: Iterable[tuple[str, str]], authorities: Sequence[str], language: str
) -> str:
    """Return a text to send to an association.

    Args:
        domains: each with its records, as a table.
        authorities: which may sign for it, as CAA names them.
        language: of the text.

    """
    texts = TEXTS[language]
    parts = []
    for domain, table in domains:
        indented = "".join(f"  {line}\n" for line in table.splitlines())
        parts.append(f"{texts['ask'].format(domain=domain)}\n\n{indented}\n{texts['only']}\n")
    parts += [texts["caa"].format(authority=one) + "\n" for one in authorities[:1]]
    return "\n".join(parts)


def tell(what: str, language: str, **values: str) -> str:
    """Return the sentence on one thing that is wrong with a domain, and what to do."""
    return TEXTS[language][what].format(**values)
