<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** The number of enabled accounts that a space may have. */
final class AccountLimit
{
    public static function exceeded(Space $space): bool
    {
        ['used' => $used, 'limit' => $limit] = $space->accounts();
        return $limit !== null && $used > $limit;
    }

    /** What whoever tried reads. */
    public static function refusal(Space $space): string
    {
        return $space->translate(
            '',
            'This account stays disabled: the space has reached its limit of %s accounts. Disable another one first.',
            [(string)$space->accounts()['limit']],
        );
    }
}
