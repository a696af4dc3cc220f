# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the demo says, in the languages of those who run it."""

from __future__ import annotations

from tools import collection

collection.importable()

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages

TEXTS = {
    "en": {
        # Steps.
        "used": "Nextcloud {release} lies in artifacts/, or was asked for: it is used",
        "node": "1/4 A Debian node in a container",
        "converge": "2/4 Converging it: {command}",
        "content": "3/4 People and content in {names}",
        "done": "4/4 Done in {seconds} s",
        # The table, and what stands below it.
        "space": "space",
        "status": "status",
        "address": "address",
        "release": "release",
        "office": "office",
        "accounts": "accounts",
        "storage": "storage",
        "storage_gb": "{number} GB",
        "nothing": "nothing on any node",
        "real_release": "Nextcloud: real release {version}, {signature}, {origin}",
        "signed": "signature verified",
        "unsigned": "signature not checked",
        "from_file": "from artifacts/",
        "from_vendor": "from the vendor",
        "standin_release": (
            "Nextcloud: stand-in for {version} (a small program that answers like Nextcloud; put "
            "the vendor's archive into artifacts/ for the real one)"
        ),
        "no_store": "the stand-in runs no application of the store",
        "absent": "Not there: {release} lacks {names}: {reason}",
        "entry": "{what}: {address}",
        "authority": (
            "Certificate authority: {path} (import it in the browser, or accept its warning)"
        ),
        "ssh": "Node: {command}",
        "invitations": "Invitations of the first administrators: on the node, in {path}",
        "remove": "Remove everything: {command}",
        # What a visitor looks at.
        "look": "See an association at work",
        "in_fr": "in French",
        "in_en": "in English",
        "login": "log in as {account}, password {password}: {name}, {part}",
        "again": "log in as {account}: {name}, {part}",
        "administers": "administers the space",
        "member": "a member",
        "files": "files",
        "link": "a link for everybody, without an account",
        "calendar": "calendar",
        "board": "board",
        "page": "pages",
        "my-space": "My space, which its administrators see",
        "missing": "Not there, for want of its application: {kinds}",
        "standin": (
            "This is the stand-in: it has no page behind the log-in, no calendar, board or page. "
            "Its files are there for programs that speak WebDAV, at the address above."
        ),
        "not_approved": "{name} is {status} in its file: nothing is put into it",
        "states": "What people find where a space is suspended or closed:",
        "shown": (
            "Passwords are shown this once, and kept nowhere. New ones: {password}. "
            "Pictures of these pages: {tour}"
        ),
        "not_shown": (
            "Nothing was added: all of it is there. Its passwords were shown when they were made; "
            "new ones: {password}. Pictures of these pages: {tour}"
        ),
    },
    "fr": {
        "used": (
            "Nextcloud {release} se trouve dans artifacts/, ou a été demandé : c’est lui qui est "
            "utilisé"
        ),
        "node": "1/4 Une machine Debian dans un conteneur",
        "converge": "2/4 Sa configuration : {command}",
        "content": "3/4 Des gens et du contenu dans {names}",
        "done": "4/4 Terminé en {seconds} s",
        "space": "espace",
        "status": "statut",
        "address": "adresse",
        "release": "version",
        "office": "bureautique",
        "accounts": "comptes",
        "storage": "stockage",
        "storage_gb": "{number} Go",
        "nothing": "rien, sur aucune machine",
        "real_release": "Nextcloud : vraie version {version}, {signature}, {origin}",
        "signed": "signature vérifiée",
        "unsigned": "signature non vérifiée",
        "from_file": "venue d’artifacts/",
        "from_vendor": "venue de l’éditeur",
        "standin_release": (
            "Nextcloud : application factice à la place de {version} (un petit programme qui "
            "répond comme Nextcloud ; mettez l’archive de l’éditeur dans artifacts/ pour avoir le "
            "vrai)"
        ),
        "no_store": "l’application factice ne fait tourner aucune application du magasin",
        "absent": "Absent : il manque à {release} {names} : {reason}",
        "entry": "{what} : {address}",
        "authority": (
            "Autorité de certification : {path} (à importer dans le navigateur, ou accepter son "
            "avertissement)"
        ),
        "ssh": "Machine : {command}",
        "invitations": (
            "Invitations des premières personnes qui administrent : sur la machine, dans {path}"
        ),
        "remove": "Tout supprimer : {command}",
        "look": "Voir une association au travail",
        "in_fr": "en français",
        "in_en": "en anglais",
        "login": "se connecter : compte {account}, mot de passe {password} ({name}, {part})",
        "again": "se connecter : compte {account} ({name}, {part})",
        "administers": "administre l’espace",
        "member": "membre",
        "files": "fichiers",
        "link": "un lien pour tout le monde, sans compte",
        "calendar": "agenda",
        "board": "tableau",
        "page": "pages",
        "my-space": "« Mon espace », que voient les personnes qui administrent",
        "missing": "Absent, faute de l’application : {kinds}",
        "standin": (
            "C’est l’application factice : aucune page derrière la connexion, ni agenda, ni "
            "tableau, ni page. "
            "Ses fichiers sont là pour les programmes qui parlent WebDAV, à l’adresse ci-dessus."
        ),
        "not_approved": "{name} a le statut {status} dans son fichier : rien n’y est mis",
        "states": "Ce qu’on trouve quand un espace est suspendu ou fermé :",
        "shown": (
            "Les mots de passe sont montrés cette seule fois, et conservés nulle part. De "
            "nouveaux : {password}. "
            "Des images de ces pages : {tour}"
        ),
        "not_shown": (
            "Rien n’a été ajouté : tout y est. Les mots de passe ont été montrés à leur création ; "
            "de nouveaux : {password}. Des images de ces pages : {tour}"
        ),
    },
}


def say(key: str, /, **words: object) -> str:
    """Return a text in the language of the terminal, its {words} filled in."""
    return TEXTS[_messages.language()][key].format(**words)
