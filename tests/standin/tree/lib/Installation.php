<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** occ maintenance:install. */
final class Installation
{
    public function __construct(private Server $server, private Input $input)
    {
    }

    public function run(): int
    {
        $database = strtolower($this->input->text('database', 'sqlite'));
        if ($database !== 'mysql') {
            throw new HintException("Database <$database> is not supported. mysql are supported.");
        }
        foreach (['database-user' => 'Database account', 'database-name' => 'Database name'] as $option => $what) {
            if (!$this->input->has($option)) {
                throw new HintException("$what not provided.");
            }
        }
        $withAdmin = !$this->input->has('disable-admin-user');
        if ($withAdmin && $this->input->text('admin-pass') === '') {
            throw new HintException('The administrator\'s password is missing: give --admin-pass.');
        }
        $this->prepareData();
        $this->writeConfiguration();
        $this->server->database->createTables();
        $this->fill();
        if ($withAdmin) {
            $admin = $this->input->text('admin-user', 'admin');
            $this->server->accounts->addGroup('admin');
            $this->server->accounts->add($admin, $this->input->text('admin-pass'));
            $this->server->accounts->addMember($admin, 'admin');
            if ($this->input->text('admin-email') !== '') {
                $this->server->settings->setOfUser($admin, 'settings', 'email', $this->input->text('admin-email'));
            }
        }
        $this->server->config->set(['installed' => true]);
        echo "Nextcloud was successfully installed\n";
        return 0;
    }

    private function prepareData(): void
    {
        $data = $this->dataFolder();
        if (!is_dir($data) && !@mkdir($data, 0770, true)) {
            throw new HintException("Cannot create or write into the data directory $data");
        }
        foreach (['.ncdata' => "# Nextcloud data directory\n", '.ocdata' => '', 'index.html' => '', '.htaccess' => "Require all denied\n"] as $file => $content) {
            if (!is_file("$data/$file") && @file_put_contents("$data/$file", $content) === false) {
                throw new HintException("Cannot create or write into the data directory $data");
            }
        }
    }

    private function writeConfiguration(): void
    {
        $host = $this->input->text('database-host', 'localhost');
        $port = $this->input->text('database-port');
        $config = $this->server->config;
        $config->set([
            'passwordsalt' => $this->input->text('password-salt') ?: Accounts::random(30),
            'secret' => $this->input->text('server-secret') ?: Accounts::random(48),
            'trusted_domains' => $config->get('trusted_domains') ?? ['localhost'],
            'datadirectory' => $this->dataFolder(),
            'dbtype' => 'mysql',
            'version' => $this->server->version,
            'overwrite.cli.url' => $config->text('overwrite.cli.url', 'http://localhost'),
            'dbname' => $this->input->text('database-name'),
            'dbhost' => $port === '' ? $host : "$host:$port",
            'dbtableprefix' => $config->text('dbtableprefix', 'oc_'),
            'mysql.utf8mb4' => true,
            'dbuser' => $this->input->text('database-user'),
            'dbpassword' => $this->input->text('database-pass'),
        ]);
    }

    private function fill(): void
    {
        $settings = $this->server->settings;
        $settings->set('core', 'installedat', (string)microtime(true));
        $settings->set('core', 'vendor', 'archipel-standin');
        $settings->set('core', 'lastcron', 0);
        foreach ($this->server->apps->defaultEnabled() as $app) {
            $this->server->apps->enable($app);
        }
        foreach (['Standin\\CleanUp', 'Standin\\Expire'] as $class) {
            $this->server->database->run('INSERT INTO *PREFIX*jobs (class) VALUES (?)', [$class]);
        }
    }

    private function dataFolder(): string
    {
        return rtrim($this->input->text('data-dir', $this->server->config->text('datadirectory', $this->server->root . '/data')), '/');
    }
}
