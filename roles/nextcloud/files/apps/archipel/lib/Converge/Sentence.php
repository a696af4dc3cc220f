<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** What is said to people: one line, which no terminal obeys and somebody reads to its end. */
final class Sentence
{
    public const LONGEST = 500;
    // Control, direction and invisible signs, and blanks other than those of texts.
    private const UNSEEN = '/[\p{C}\p{Zl}\p{Zp}]|(?![ \x{a0}\x{202f}])\p{Zs}/u';

    public static function of(string $text): string
    {
        $line = preg_replace('/\s*[\r\n]+\s*/', ' ', mb_scrub(trim($text), 'UTF-8'));
        $seen = preg_replace_callback(self::UNSEEN, fn (array $sign): string => sprintf('\u{%x}', mb_ord($sign[0], 'UTF-8')), $line);
        return mb_strimwidth($seen, 0, self::LONGEST, '…', 'UTF-8');
    }
}
