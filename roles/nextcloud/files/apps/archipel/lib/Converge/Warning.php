<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** When the administrators of a space hear that it is getting full: once per crossing. */
final class Warning
{
    public const LEVELS = [95, 80];
    // Use that goes up and down around a level is one crossing, not many.
    private const SLACK = 3;

    /** The level that a use of so many percent is at, 0 below all, knowing the level before. */
    public static function level(int $percent, int $before): int
    {
        foreach (self::LEVELS as $level) {
            if ($percent >= $level || ($before >= $level && $percent >= $level - self::SLACK)) {
                return $level;
            }
        }
        return 0;
    }

    /** @return array<string, int> what may get full => percent in use */
    public static function uses(Space $space): array
    {
        ['used' => $used, 'limit' => $limit] = $space->accounts();
        return [
            'accounts' => $limit === null || $limit === 0 ? 0 : (int)floor($used * 100 / $limit),
            'storage' => Storage::of($space)->percent(),
        ];
    }
}
