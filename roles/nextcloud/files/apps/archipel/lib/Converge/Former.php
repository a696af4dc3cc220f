<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * Who administered a space and no longer does, by its people's own decision.
 *
 * What the operator describes names a first administrator. Without this, the next run would give the
 * right back to somebody whom the association has taken it from.
 */
final class Former
{
    public const KEY = 'former_administrators';

    /** @return list<string> */
    public static function all(Space $space): array
    {
        $known = json_decode($space->setting('archipel', self::KEY) ?? '[]', true);
        return is_array($known) ? array_values(array_map('strval', $known)) : [];
    }

    public static function add(Space $space, string $uid): void
    {
        self::save($space, [...array_diff(self::all($space), [$uid]), $uid]);
    }

    public static function remove(Space $space, string $uid): void
    {
        if (in_array($uid, self::all($space), true)) {
            self::save($space, array_values(array_diff(self::all($space), [$uid])));
        }
    }

    /** Whether somebody is to stay without the right: others are there who have it. */
    public static function stays(Space $space, string $uid): bool
    {
        return in_array($uid, self::all($space), true) && array_diff($space->subadmins(), [$uid]) !== [];
    }

    /** @param list<string> $uids */
    private static function save(Space $space, array $uids): void
    {
        $space->saveSetting('archipel', self::KEY, $uids === [] ? null : $uids);
    }
}
