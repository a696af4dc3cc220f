<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** The logo that the registry gives a space: a file beside the space, and its SHA-256; empty: none. */
final class Logo
{
    /** Where the logo given last is remembered. */
    public const GIVEN = 'logo';

    public function __construct(public readonly string $file, public readonly string $digest)
    {
    }

    /** Whether the registry's word is new. What people put in its place since then stays. */
    public function isNews(Space $space): bool
    {
        return ($space->setting('archipel', self::GIVEN) ?? '') !== $this->digest;
    }

    public function give(Space $space): void
    {
        if ($this->digest === '') {
            if ($space->logo() === $space->setting('archipel', self::GIVEN)) {
                $space->removeLogo();
            }
            $space->saveSetting('archipel', self::GIVEN, null);
            return;
        }
        if (@hash_file('sha256', $this->file) !== $this->digest) {
            throw new \RuntimeException("{$this->file} is not the picture that was announced");
        }
        $space->saveLogo($this->file);
        $space->saveSetting('archipel', self::GIVEN, $this->digest);
    }
}
