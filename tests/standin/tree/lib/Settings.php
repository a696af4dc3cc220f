<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** oc_appconfig and oc_preferences. */
final class Settings
{
    public function __construct(private Database $database)
    {
    }

    public function get(string $app, string $key): ?string
    {
        return $this->database->value('SELECT configvalue FROM *PREFIX*appconfig WHERE appid = ? AND configkey = ?', [$app, $key]);
    }

    public function set(string $app, string $key, string|int|float|bool|array|null $value): void
    {
        if ($value === null) {
            $this->database->run('DELETE FROM *PREFIX*appconfig WHERE appid = ? AND configkey = ?', [$app, $key]);
            return;
        }
        // The numbers are those of IAppConfig::VALUE_*.
        [$type, $stored] = match (true) {
            is_int($value) => [8, (string)$value],
            is_float($value) => [16, (string)$value],
            is_bool($value) => [32, $value ? '1' : '0'],
            is_array($value) => [64, json_encode($value, JSON_THROW_ON_ERROR)],
            default => [4, $value],
        };
        $this->database->run(
            'REPLACE INTO *PREFIX*appconfig (appid, configkey, configvalue, type) VALUES (?, ?, ?, ?)',
            [$app, $key, $stored, $type],
        );
    }

    /** @return array<string, string> key => value */
    public function ofApp(string $app): array
    {
        return $this->database->pairs('SELECT configkey, configvalue FROM *PREFIX*appconfig WHERE appid = ? ORDER BY configkey', [$app]);
    }

    /** @return array<string, string> application => value of this key */
    public function everywhere(string $key): array
    {
        return $this->database->pairs('SELECT appid, configvalue FROM *PREFIX*appconfig WHERE configkey = ? ORDER BY appid', [$key]);
    }

    /** @return list<string> */
    public function apps(): array
    {
        return $this->database->column('SELECT DISTINCT appid FROM *PREFIX*appconfig ORDER BY appid');
    }

    public function ofUser(string $uid, string $app, string $key): ?string
    {
        return $this->database->value(
            'SELECT configvalue FROM *PREFIX*preferences WHERE userid = ? AND appid = ? AND configkey = ?',
            [$uid, $app, $key],
        );
    }

    public function setOfUser(string $uid, string $app, string $key, ?string $value): void
    {
        if ($value === null) {
            $this->database->run('DELETE FROM *PREFIX*preferences WHERE userid = ? AND appid = ? AND configkey = ?', [$uid, $app, $key]);
            return;
        }
        $this->database->run('REPLACE INTO *PREFIX*preferences VALUES (?, ?, ?, ?)', [$uid, $app, $key, $value]);
    }
}
