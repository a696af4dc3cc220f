<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Nextcloud;

use OC\AppConfig;
use OCA\Archipel\Converge\Converger;
use OCP\Exceptions\AppConfigTypeConflictException;
use OCP\Exceptions\AppConfigUnknownKeyException;
use OCP\IAppConfig;
use OCP\Server;

/** A part of NextcloudSpace: settings of applications, as they are stored and as they are read. */
trait StoredSettings
{
    public function setting(string $app, string $key): ?string
    {
        $value = $this->row($app, $key)['configvalue'] ?? null;
        // Nextcloud encrypts what it holds for a secret.
        return $value !== null && str_starts_with($value, '$AppConfigEncryption$')
            ? Server::get(IAppConfig::class)->getValueString($app, $key, '', Server::get(IAppConfig::class)->isLazy($app, $key))
            : $value;
    }

    public function isTyped(string $app, string $key): bool
    {
        $type = (int)($this->row($app, $key)['type'] ?? 0) & ~IAppConfig::VALUE_SENSITIVE;
        return !in_array($type, [0, IAppConfig::VALUE_MIXED], true);
    }

    /**
     * As mixed: releases and applications read the same key as a text, a number or a flag, each
     * at its time, and a value that is stored under one type is refused to every other reader.
     */
    public function saveSetting(string $app, string $key, string|int|float|bool|array|null $value): void
    {
        $settings = Server::get(AppConfig::class);
        // Another process may have changed it meanwhile; a value that is still the same in a
        // stale cache would not be written.
        $settings->clearCache();
        if ($value === null) {
            $settings->deleteKey($app, $key);
            return;
        }
        $there = $this->row($app, $key) !== null;
        $lazy = $there && $settings->isLazy($app, $key);
        if ($there) {
            // A type of its own refuses the writer too.
            $settings->updateType($app, $key, IAppConfig::VALUE_MIXED);
        }
        $settings->setValueMixed($app, $key, (string)Converger::stored($value), $lazy);
        // Nextcloud gives a key the type that its application declares, whatever was asked.
        $settings->updateType($app, $key, IAppConfig::VALUE_MIXED);
    }

    public function unreadable(): array
    {
        $settings = Server::get(AppConfig::class);
        $settings->clearCache();
        $unreadable = [];
        foreach (array_keys($this->applications()) as $app) {
            foreach ($settings->getKeys($app) as $key) {
                try {
                    $readers = $this->readers($settings, $app, $key);
                } catch (AppConfigUnknownKeyException) {
                    // The row of a key that goes by another name now: nobody reads it any more.
                    continue;
                }
                if ($readers === []) {
                    $unreadable[] = "$app/$key";
                }
            }
        }
        return $unreadable;
    }

    public function readableAs(string $app, string $key): array
    {
        $settings = Server::get(AppConfig::class);
        $settings->clearCache();
        return $this->readers($settings, $app, $key);
    }

    /** @return list<string> */
    private function readers(AppConfig $settings, string $app, string $key): array
    {
        $lazy = $settings->isLazy($app, $key);
        $getters = [
            'string' => fn () => $settings->getValueString($app, $key, '', $lazy),
            'int' => fn () => $settings->getValueInt($app, $key, 0, $lazy),
            'float' => fn () => $settings->getValueFloat($app, $key, 0, $lazy),
            'bool' => fn () => $settings->getValueBool($app, $key, false, $lazy),
            'array' => fn () => $settings->getValueArray($app, $key, [], $lazy),
        ];
        $readers = [];
        foreach ($getters as $type => $get) {
            try {
                $get();
                $readers[] = $type;
            } catch (AppConfigTypeConflictException) {
                // This is what is asked for: who may read it, and who may not.
            }
        }
        return $readers;
    }

    /**
     * Read past the typed interface: a key may be stored under any type, lazily or not.
     *
     * @return array{configvalue: string, type: int|string}|null
     */
    private function row(string $app, string $key): ?array
    {
        $query = $this->database->getQueryBuilder();
        $query->select('configvalue', 'type')->from('appconfig')
            ->where($query->expr()->eq('appid', $query->createNamedParameter($app)))
            ->andWhere($query->expr()->eq('configkey', $query->createNamedParameter($key)));
        $row = $query->executeQuery()->fetch();
        return $row === false ? null : ['configvalue' => (string)$row['configvalue'], 'type' => $row['type']];
    }
}
