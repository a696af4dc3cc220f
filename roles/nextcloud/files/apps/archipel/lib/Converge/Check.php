<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * Reads settings back through Nextcloud's own typed readers.
 *
 * A setting whose stored type is not the one that an application asks for ends every page that
 * reads it, although its value is as it should be.
 */
final class Check
{
    public function __construct(
        private readonly Space $space,
        private readonly DesiredState $desired,
    ) {
    }

    /** @return list<string> */
    public function problems(): array
    {
        $problems = array_map(
            fn (string $name): string => "$name: no reader gets it, its stored type is not the one its application declares",
            $this->space->unreadable(),
        );
        foreach ($this->desired->appConfig as $app => $settings) {
            foreach ($settings as $key => $value) {
                $current = $this->space->setting($app, $key);
                if ($current !== Converger::stored($value)) {
                    $problems[] = "$app/$key: it is not what is imposed";
                } elseif ($this->space->isTyped($app, $key)) {
                    $problems[] = "$app/$key: it is stored under one type, and refused to readers of another";
                }
            }
        }
        return $problems;
    }

    /** @return array<string, list<string>> imposed setting => as what it can be read; values are not named */
    public function imposed(): array
    {
        $imposed = [];
        foreach ($this->desired->appConfig as $app => $settings) {
            foreach (array_keys($settings) as $key) {
                if ($this->space->setting($app, $key) !== null) {
                    $imposed["$app/$key"] = $this->space->readableAs($app, $key);
                }
            }
        }
        return $imposed;
    }
}
