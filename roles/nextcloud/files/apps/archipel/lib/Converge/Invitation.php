<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** The letter that hands a new space to its first administrator. */
final class Invitation implements \JsonSerializable
{
    private function __construct(
        public readonly string $uid,
        public readonly string $to,
        public readonly string $name,
        public readonly string $subject,
        public readonly string $link,
        public readonly string $body,
    ) {
    }

    public static function to(Administrator $admin, Space $space): self
    {
        $t = fn (string $text, string ...$parameters): string
            => $space->translate($admin->language, $text, array_values($parameters));
        $link = $space->passwordLink($admin->uid);
        $name = $admin->displayName;
        $body = implode("\n\n", [
            // The name of an account is no name of a person.
            $name === '' ? $t('Hello,') : $t('Hello %s,', $name),
            $t('The Nextcloud space "%s" is ready, and you are its administrator.', $space->name()),
            $t('Choose your password here (the link works once, for seven days):') . "\n" . $link,
            $t('Your account name is: %s', $admin->uid),
            $t('You can then add the accounts of your association\'s members.'),
        ]);
        return new self($admin->uid, $admin->email, $name, $t('Your space "%s" is ready', $space->name()), $link, $body . "\n");
    }

    /** @return array<string, string> */
    public function jsonSerialize(): array
    {
        return get_object_vars($this);
    }
}
