<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** A moment in words: "Friday 4 December 2026 at 13:05 (Europe/Paris)". */
final class Moment
{
    private const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
    private const MONTHS = [
        'January', 'February', 'March', 'April', 'May', 'June', 'July',
        'August', 'September', 'October', 'November', 'December',
    ];

    /**
     * In words of the application's own: what the language has none for stays English as a whole.
     *
     * @param \Closure(string, string...): string $t
     */
    public static function inWords(int $time, string $zone, \Closure $t): string
    {
        // A name that PHP does not know tells nobody a time.
        $zone = in_array($zone, \DateTimeZone::listIdentifiers(\DateTimeZone::ALL_WITH_BC), true) ? $zone : 'UTC';
        $moment = (new \DateTimeImmutable("@$time"))->setTimezone(new \DateTimeZone($zone));
        $day = (int)$moment->format('j');
        return $t(
            '%1$s %2$s %3$s %4$s at %5$s (%6$s)',
            $t(self::DAYS[(int)$moment->format('N') - 1]),
            // The first of a month is an ordinal in French, and the others are not.
            $day === 1 ? $t('1') : (string)$day,
            $t(self::MONTHS[(int)$moment->format('n') - 1]),
            $moment->format('Y'),
            $t('%1$s:%2$s', $moment->format('H'), $moment->format('i')),
            $zone,
        );
    }
}
