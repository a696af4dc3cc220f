<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** Installing, upgrading and watching the instance as a whole. */
final class InstanceCommands extends Command
{
    private const UPGRADE_FAILED = 5;

    public function status(): int
    {
        $status = $this->server->status();
        if ($this->input->has('exit-code')) {
            return match (true) {
                $status['maintenance'] => 1,
                $status['needsDbUpgrade'] => 2,
                default => 0,
            };
        }
        return $this->show($status);
    }

    public function check(): int
    {
        $problems = $this->server->problems();
        return $problems === [] ? 0 : $this->say(implode("\n", $problems), 1);
    }

    public function install(): int
    {
        if ($this->server->isInstalled()) {
            throw new HintException('Command "maintenance:install" is not defined.');
        }
        return (new Installation($this->server, $this->input))->run();
    }

    public function maintenanceMode(): int
    {
        $now = $this->server->inMaintenance();
        foreach (['on' => true, 'off' => false] as $option => $wanted) {
            if ($this->input->has($option)) {
                $word = $wanted ? 'enabled' : 'disabled';
                if ($now === $wanted) {
                    return $this->say("Maintenance mode already $word");
                }
                $this->server->config->set(['maintenance' => $wanted]);
                return $this->say("Maintenance mode $word");
            }
        }
        return $this->say('Maintenance mode is currently ' . ($now ? 'enabled' : 'disabled'));
    }

    public function dataFingerprint(): int
    {
        $this->server->config->set(['data-fingerprint' => md5((string)time())]);
        return 0;
    }

    public function nothingToDo(): int
    {
        return $this->say('Done.');
    }

    /** It keeps people out meanwhile, and leaves the key of that. */
    public function repair(): int
    {
        $before = $this->server->inMaintenance();
        $this->server->config->set(['maintenance' => true]);
        if ($this->input->has('include-expensive')) {
            $this->server->settings->set('files', 'mimetype_version', $this->server->version);
        }
        $this->server->config->set(['maintenance' => $before]);
        return $this->say('Done.');
    }

    public function backgroundCron(): int
    {
        $this->server->settings->set('core', 'backgroundjobs_mode', 'cron');
        return $this->say("Set mode for background jobs to 'cron'");
    }

    public function upgrade(): int
    {
        if (!$this->server->needsUpgrade()) {
            if ($this->server->inMaintenance()) {
                $this->server->config->set(['maintenance' => false]);
                $this->say('Maintenance mode is disabled');
            }
            return $this->say('Nextcloud is already latest version');
        }
        [$from, $to] = [$this->server->config->text('version'), $this->server->version];
        $before = $this->server->inMaintenance();
        $this->server->config->set(['maintenance' => true]);
        $this->say('Turned on maintenance mode');
        // Majors are not skipped; what fails leaves maintenance mode on.
        if ((int)$to - (int)$from > 1) {
            return $this->say('Updates between multiple major versions and downgrades are unsupported.', self::UPGRADE_FAILED);
        }
        if (is_file($this->server->root . '/core/FAILS_TO_UPGRADE')) {
            return $this->say('Exception: this stand-in was built to fail its upgrade', self::UPGRADE_FAILED);
        }
        $this->migrate((int)$to);
        // Put together anew by the next page: the files of the release before are of no use.
        (new AppData($this->server))->clear('js');
        foreach (array_keys($this->server->apps->enabled()) as $app) {
            if ($this->server->settings->get($app, 'standin_breaks') !== null) {
                return $this->upgradeFailed($app);
            }
            if ($this->server->apps->obstacle($app) !== null) {
                $this->server->apps->disable($app);
                $this->say("Disabled incompatible app: $app");
            } else {
                $this->server->settings->set($app, 'installed_version', $this->server->apps->version($app));
            }
        }
        $this->server->config->set(['version' => $to, 'maintenance' => $before]);
        $this->say($before ? 'Maintenance mode is kept active' : 'Turned off maintenance mode');
        return $this->say('Update successful');
    }

    /** What went wrong is in the middle of what is said; the bars of the steps before are said apart, and last. */
    private function upgradeFailed(string $app): int
    {
        $bar = '    0/0 [>---------------------------]   0%';
        fwrite(STDERR, "\nStarting ...\n$bar Starting ...\n$bar\n");
        $this->say("Exception: Could not update app \"$app\"");
        $this->say('Update failed');
        $this->say('Maintenance mode is kept active');
        return $this->say('Resetting log level', self::UPGRADE_FAILED);
    }

    /** Changes the schema for good, step by step and without a transaction, as migrations do. */
    private function migrate(int $major): void
    {
        $database = $this->server->database;
        $database->createTables();
        $seconds = (int)$this->server->settings->get('core', 'standin_upgrade_seconds');
        for ($step = 1; $step <= max(1, $seconds * 2); $step++) {
            $database->run("INSERT IGNORE INTO *PREFIX*migrations (app, version) VALUES ('core', ?)", [sprintf('%d%06d', $major, $step)]);
            $database->run("ALTER TABLE *PREFIX*filecache ADD COLUMN IF NOT EXISTS standin_$major VARCHAR(40) NULL");
            $this->say("Migration $step of $major done");
            $seconds === 0 || usleep(500_000);
        }
    }

    public function scanAppData(): int
    {
        (new AppData($this->server))->scan();
        return $this->say('Scanning AppData for files');
    }

    /** One of the release itself, and one of each application that was on when this process began. */
    public function missingIndices(): int
    {
        $database = $this->server->database;
        $there = $database->column('SELECT name FROM *PREFIX*standin_indices');
        foreach (array_diff(['core', ...$this->server->apps->loaded()], $there) as $name) {
            $this->say("Adding additional $name index to the oc_$name table, this can take some time...");
            if (!$this->input->has('dry-run')) {
                $database->run('INSERT INTO *PREFIX*standin_indices (name) VALUES (?)', [$name]);
            }
        }
        return 0;
    }

    public function setupChecks(): int
    {
        $age = time() - (int)$this->server->settings->get('core', 'lastcron');
        $inside = str_starts_with($this->server->config->text('datadirectory'), $this->server->root . '/');
        $check = static fn (bool $good, string $severity, string $text): array
            => ['severity' => $good ? 'success' : $severity, 'description' => $good ? null : $text];
        $checks = [
            'system' => ['Standin\CronInfo' => $check($age < 3600, 'warning', "Last background job execution ran $age seconds ago")],
            'security' => ['Standin\DataDirectory' => $check(!$inside, 'error', 'The data directory is inside the code tree')],
            'database' => ['Standin\SupportedDatabase' => $check((bool)$this->server->database->value('SELECT VERSION()'), 'error', 'no version')],
        ];
        $severities = array_column(array_merge(...array_values($checks)), 'severity');
        $this->show($checks);
        return in_array('error', $severities, true) || in_array('warning', $severities, true) ? 1 : 0;
    }

    /** Compares the tree with the list that its builder wrote. */
    public function integrity(): int
    {
        $expected = json_decode((string)@file_get_contents($this->server->root . '/core/signature.json'), true)['hashes'] ?? [];
        $found = [];
        foreach (Files::below($this->server->root) as $path) {
            if (!preg_match('#^(apps|apps-extra|config|data|themes)/|^core/signature\.json$#', $path)) {
                $found[$path] = hash_file('sha512', $this->server->root . '/' . $path);
            }
        }
        $differences = array_filter([
            'INVALID_HASH' => array_keys(array_diff_assoc(array_intersect_key($found, $expected), $expected)),
            'FILE_MISSING' => array_keys(array_diff_key($expected, $found)),
            'EXTRA_FILE' => array_keys(array_diff_key($found, $expected)),
        ]);
        if ($differences !== []) {
            $this->show($differences);
            return 1;
        }
        return $this->say('No errors have been found.');
    }
}
