<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * Settings that are given, not imposed: the registry's word counts when it is new,
 * and what people changed since then stays theirs.
 *
 * What was given is remembered as a digest for each key.
 */
final class Defaults
{
    private const MEMORY = 'given';

    /** @var array<string, string> application/key => digest of the value given last */
    private array $given;

    public function __construct(private readonly Space $space)
    {
        $this->given = json_decode($space->setting('archipel', self::MEMORY) ?? '{}', true) ?: [];
    }

    /**
     * @param array<string, array<string, string|int|float|bool|array|null>> $wanted null: the registry says nothing
     * @return list<array{string, string, string|int|float|bool|array|null}> application, key, value to save
     */
    public function due(array $wanted): array
    {
        $due = [];
        foreach ($wanted as $app => $settings) {
            foreach ($settings as $key => $value) {
                $current = $this->space->setting($app, $key);
                if ($this->isNews("$app/$key", $value, $current) && $current !== Converger::stored($value)) {
                    $due[] = [$app, $key, $value];
                }
            }
        }
        return $due;
    }

    /** @param array<string, array<string, string|int|float|bool|array|null>> $wanted */
    public function remember(array $wanted): void
    {
        $given = $this->given;
        foreach ($wanted as $app => $settings) {
            foreach ($settings as $key => $value) {
                $given["$app/$key"] = self::digest(Converger::stored($value));
            }
        }
        $given = array_filter($given, fn (string $digest): bool => $digest !== '');
        ksort($given);
        if ($given !== $this->given) {
            $this->space->saveSetting('archipel', self::MEMORY, $given);
        }
    }

    private function isNews(string $name, string|int|float|bool|array|null $value, ?string $current): bool
    {
        $before = $this->given[$name] ?? '';
        if ($value === null) {
            // Taken back, unless somebody has put their own in its place.
            return $before !== '' && $before === self::digest($current);
        }
        return $before !== self::digest(Converger::stored($value));
    }

    private static function digest(?string $stored): string
    {
        return $stored === null ? '' : substr(hash('sha256', $stored), 0, 16);
    }
}
