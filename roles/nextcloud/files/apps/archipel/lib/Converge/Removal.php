<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** Whether one administrator of a space may take this right from another. */
final class Removal
{
    /**
     * Why not, in English; null: it may be done.
     *
     * @param array<string, bool> $administrators login name => whether the account is enabled
     * @param string $by who asks
     * @param string $uid whose right it is
     * @param string $confirmed the login name once more
     */
    public static function refusal(array $administrators, string $by, string $uid, string $confirmed): ?string
    {
        return match (true) {
            !($administrators[$by] ?? false) => 'You do not administer this space.',
            !isset($administrators[$uid]) => 'There is no such administrator here.',
            $uid === $by => 'Nobody takes this right from themselves: ask another administrator.',
            $confirmed !== $uid => 'Confirm whom you mean. Nothing was changed.',
            default => null,
        };
    }
}
