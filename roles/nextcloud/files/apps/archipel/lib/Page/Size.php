<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCP\IL10N;

/** Bytes in the words of whoever reads: Nextcloud's own function knows English units alone. */
final class Size
{
    private const UNITS = ['%s B', '%s KB', '%s MB', '%s GB', '%s TB'];

    /** Rounded as Nextcloud rounds: whole kilobytes, tenths from megabytes on. */
    public static function words(IL10N $l10n, int $bytes): string
    {
        $value = (float)max(0, $bytes);
        $unit = 0;
        while (round($value) >= 1024 && $unit < count(self::UNITS) - 1) {
            $value /= 1024;
            $unit++;
        }
        $tenths = (int)round($value * 10);
        if ($unit < 2 || $tenths % 10 === 0) {
            return $l10n->t(self::UNITS[$unit], [(string)(int)round($value)]);
        }
        $number = $l10n->t('%1$s.%2$s', [(string)intdiv($tenths, 10), (string)($tenths % 10)]);
        return $l10n->t(self::UNITS[$unit], [$number]);
    }
}
