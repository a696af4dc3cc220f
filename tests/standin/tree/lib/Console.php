<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** occ: finds the command, checks the environment, runs it, returns the exit status. */
final class Console
{
    private const COMMANDS = [
        'status' => ['--exit-code', InstanceCommands::class, 'status'],
        'check' => ['', InstanceCommands::class, 'check'],
        'maintenance:install' => ['--database= --database-name= --database-host= --database-port= --database-user= --database-pass=
            --database-table-space= --disable-admin-user --admin-user= --admin-pass= --admin-email= --data-dir= --password-salt=
            --server-secret=', InstanceCommands::class, 'install'],
        'maintenance:data-fingerprint' => ['', InstanceCommands::class, 'dataFingerprint'],
        'maintenance:mode' => ['--on --off', InstanceCommands::class, 'maintenanceMode'],
        'maintenance:repair' => ['--include-expensive', InstanceCommands::class, 'repair'],
        'upgrade' => ['', InstanceCommands::class, 'upgrade'],
        'background:cron' => ['', InstanceCommands::class, 'backgroundCron'],
        'db:add-missing-columns' => ['--dry-run', InstanceCommands::class, 'nothingToDo'],
        'db:add-missing-indices' => ['--dry-run', InstanceCommands::class, 'missingIndices'],
        'db:add-missing-primary-keys' => ['--dry-run', InstanceCommands::class, 'nothingToDo'],
        'files:scan-app-data' => ['[folder]', InstanceCommands::class, 'scanAppData'],
        'setupchecks' => ['', InstanceCommands::class, 'setupChecks'],
        'integrity:check-core' => ['', InstanceCommands::class, 'integrity'],
        'config:system:get' => ['name... --default-value=', ConfigCommands::class, 'systemGet'],
        'config:system:set' => ['name... --value= --type= --update-only', ConfigCommands::class, 'systemSet'],
        'config:system:delete' => ['name... --error-if-not-exists', ConfigCommands::class, 'systemDelete'],
        'config:app:get' => ['app name --default-value=', ConfigCommands::class, 'appGet'],
        'config:app:set' => ['app name --value= --type= --lazy --sensitive --update-only', ConfigCommands::class, 'appSet'],
        'config:app:delete' => ['app name --error-if-not-exists', ConfigCommands::class, 'appDelete'],
        'config:list' => ['[app] --private', ConfigCommands::class, 'all'],
        'config:import' => ['[file]', ConfigCommands::class, 'import'],
        'app:list' => ['--enabled --disabled --shipped=', ConfigCommands::class, 'apps'],
        'app:enable' => ['app-id... --force --groups=*', ConfigCommands::class, 'enable'],
        'app:disable' => ['app-id...', ConfigCommands::class, 'disable'],
        'user:list' => ['--limit= --offset= --info', AccountCommands::class, 'all'],
        'user:add' => ['uid --password-from-env --generate-password --display-name= --group=* --email=', AccountCommands::class, 'add'],
        'user:delete' => ['uid', AccountCommands::class, 'delete'],
        'user:enable' => ['uid', AccountCommands::class, 'enable'],
        'user:disable' => ['uid', AccountCommands::class, 'disable'],
        'user:info' => ['uid', AccountCommands::class, 'info'],
        'user:setting' => ['uid [app] [key] [value] --delete --default-value=', AccountCommands::class, 'setting'],
        'user:resetpassword' => ['uid --password-from-env', AccountCommands::class, 'resetPassword'],
        'user:add-app-password' => ['uid --password-from-env', AccountCommands::class, 'appPassword'],
        'group:list' => ['--limit= --offset=', AccountCommands::class, 'groups'],
        'group:add' => ['groupid --display-name=', AccountCommands::class, 'addGroup'],
        'group:delete' => ['groupid', AccountCommands::class, 'deleteGroup'],
        'group:adduser' => ['group user', AccountCommands::class, 'addMember'],
    ];
    private const OF_ARCHIPEL = [
        'archipel:apply' => ['--input= --dry-run --before=* --after=*', ArchipelCommands::class, 'apply'],
        'archipel:check' => ['--input=', ArchipelCommands::class, 'check'],
        'archipel:invite' => ['--input= --dry-run', ArchipelCommands::class, 'invite'],
        'archipel:status' => ['', ArchipelCommands::class, 'status'],
    ];

    public function __construct(private Server $server)
    {
    }

    /** @param list<string> $words without the script's name */
    public function run(array $words): int
    {
        $name = $words[0] ?? 'list';
        $commands = self::COMMANDS + ($this->loadsApps($name) ? self::OF_ARCHIPEL : []);
        if ($name === 'list') {
            echo "Archipel stand-in {$this->server->versionString}\n\n" . implode("\n", array_keys($commands)) . "\n";
            return 0;
        }
        $problems = $name === 'check' ? [] : $this->server->problems();
        if ($problems !== []) {
            echo implode("\n\n", $problems) . "\n\n";
            throw new HintException('Environment not properly prepared.');
        }
        if (!isset($commands[$name])) {
            throw new HintException("Command \"$name\" is not defined.");
        }
        [$usage, $class, $method] = $commands[$name];
        return (new $class($this->server, new Input($usage, array_slice($words, 1))))->$method();
    }

    /** Commands of applications exist only while the instance runs normally. */
    private function loadsApps(string $name): bool
    {
        $say = static fn (string $text) => fwrite(STDERR, $text . "\n");
        if (!$this->server->isInstalled()) {
            if ($name !== 'maintenance:install') {
                $say('Nextcloud is not installed - only a limited number of commands are available');
            }
            return false;
        }
        if ($this->server->needsUpgrade()) {
            if ($name !== 'upgrade') {
                $say('Nextcloud or one of the apps require upgrade - only a limited number of commands are available');
                $say('You may use your browser or the occ upgrade command to do the upgrade');
            }
            return false;
        }
        if ($this->server->inMaintenance()) {
            if ($name !== 'maintenance:mode' && $name !== 'status') {
                $say('Nextcloud is in maintenance mode, no apps are loaded.');
                $say('Commands provided by apps are unavailable.');
            }
            return false;
        }
        return in_array('archipel', $this->server->apps->loaded(), true);
    }
}
