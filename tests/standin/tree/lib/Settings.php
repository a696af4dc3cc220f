<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** oc_appconfig and oc_preferences. */
final class Settings
{
    // The numbers are those of IAppConfig::VALUE_*.
    public const MIXED = 2;
    public const TYPES = ['string' => 4, 'int' => 8, 'float' => 16, 'bool' => 32, 'array' => 64];

    public function __construct(private Database $database)
    {
    }

    public function get(string $app, string $key): ?string
    {
        return $this->database->value('SELECT configvalue FROM *PREFIX*appconfig WHERE appid = ? AND configkey = ?', [$app, $key]);
    }

    /** As Nextcloud's typed setters: a row that is stored under another type refuses. */
    public function set(string $app, string $key, string|int|float|bool|array|null $value): void
    {
        if ($value === null) {
            $this->database->run('DELETE FROM *PREFIX*appconfig WHERE appid = ? AND configkey = ?', [$app, $key]);
            return;
        }
        $type = match (true) {
            is_int($value) => 'int',
            is_float($value) => 'float',
            is_bool($value) => 'bool',
            is_array($value) => 'array',
            default => 'string',
        };
        $this->write($app, $key, self::stored($value), self::TYPES[$type]);
    }

    /** How a value is written into the table. */
    public static function stored(string|int|float|bool|array $value): string
    {
        return match (true) {
            is_bool($value) => $value ? '1' : '0',
            is_array($value) => json_encode($value, JSON_THROW_ON_ERROR),
            default => (string)$value,
        };
    }

    /** A text that readers of any type may have. */
    public function setMixed(string $app, string $key, string $stored): void
    {
        $this->write($app, $key, $stored, self::MIXED);
    }

    public function retype(string $app, string $key, int $type): void
    {
        $this->database->run('UPDATE *PREFIX*appconfig SET type = ? WHERE appid = ? AND configkey = ?', [$type, $app, $key]);
    }

    /** 0: the key is not set. */
    public function type(string $app, string $key): int
    {
        return (int)$this->database->value('SELECT type FROM *PREFIX*appconfig WHERE appid = ? AND configkey = ?', [$app, $key]);
    }

    /** @return list<string> as what a setting can be read: as its own type, or as any */
    public function readers(string $app, string $key): array
    {
        $type = $this->type($app, $key);
        return array_keys(array_filter(self::TYPES, fn (int $one): bool => in_array($type, [0, self::MIXED, $one], true)));
    }

    /** Reads a flag as a typed reader does: refused where it is stored under another type. */
    public function flag(string $app, string $key, bool $default): bool
    {
        if (!in_array('bool', $this->readers($app, $key), true)) {
            throw new \RuntimeException('conflict with value type from database');
        }
        return in_array(strtolower($this->get($app, $key) ?? ($default ? '1' : '0')), ['1', 'true', 'yes', 'on'], true);
    }

    private function write(string $app, string $key, string $stored, int $type): void
    {
        $there = $this->type($app, $key);
        if (!in_array($there, [0, self::MIXED, $type], true)) {
            throw new \RuntimeException("conflict between new type ($type) and old type ($there)");
        }
        if ($there === 0 || $this->get($app, $key) !== $stored) {
            $this->database->run(
                'REPLACE INTO *PREFIX*appconfig (appid, configkey, configvalue, type) VALUES (?, ?, ?, ?)',
                [$app, $key, $stored, $type],
            );
        }
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
