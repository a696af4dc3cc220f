<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** MariaDB through PDO; *PREFIX* in a statement becomes the instance's table prefix. */
final class Database
{
    private const TABLES = [
        'appconfig' => 'appid VARCHAR(32) NOT NULL, configkey VARCHAR(64) NOT NULL, configvalue LONGTEXT,
            type INT UNSIGNED NOT NULL DEFAULT 2, lazy SMALLINT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (appid, configkey)',
        'preferences' => 'userid VARCHAR(64) NOT NULL, appid VARCHAR(32) NOT NULL, configkey VARCHAR(64) NOT NULL,
            configvalue LONGTEXT, PRIMARY KEY (userid, appid, configkey)',
        'users' => 'uid VARCHAR(64) NOT NULL PRIMARY KEY, displayname VARCHAR(64), password VARCHAR(255) NOT NULL, uid_lower VARCHAR(64)',
        'groups' => 'gid VARCHAR(64) NOT NULL PRIMARY KEY, displayname VARCHAR(255) NOT NULL',
        'group_user' => 'gid VARCHAR(64) NOT NULL, uid VARCHAR(64) NOT NULL, PRIMARY KEY (gid, uid)',
        'group_admin' => 'gid VARCHAR(64) NOT NULL, uid VARCHAR(64) NOT NULL, PRIMARY KEY (gid, uid)',
        'authorized_groups' => 'id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, group_id VARCHAR(200) NOT NULL, class VARCHAR(200) NOT NULL',
        'authtoken' => 'id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uid VARCHAR(64) NOT NULL DEFAULT \'\', login_name VARCHAR(255) NOT NULL DEFAULT \'\',
            password LONGTEXT, name LONGTEXT NOT NULL, token VARCHAR(200) NOT NULL UNIQUE, type SMALLINT UNSIGNED DEFAULT 0, remember SMALLINT UNSIGNED DEFAULT 0,
            last_activity INT UNSIGNED DEFAULT 0, last_check INT UNSIGNED DEFAULT 0, scope LONGTEXT, expires INT UNSIGNED, private_key LONGTEXT,
            public_key LONGTEXT, version SMALLINT UNSIGNED NOT NULL DEFAULT 1, password_invalid TINYINT(1) DEFAULT 0, password_hash VARCHAR(255)',
        'activity' => 'activity_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, timestamp INT NOT NULL DEFAULT 0, app VARCHAR(32) NOT NULL,
            subject VARCHAR(255) NOT NULL, affecteduser VARCHAR(64) NOT NULL, file VARCHAR(4000)',
        'activity_mq' => 'mail_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, amq_timestamp INT NOT NULL DEFAULT 0, amq_latest_send INT NOT NULL DEFAULT 0,
            amq_type VARCHAR(255) NOT NULL, amq_affecteduser VARCHAR(64) NOT NULL, amq_appid VARCHAR(32) NOT NULL, amq_subject VARCHAR(255) NOT NULL',
        'notifications' => 'notification_id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, app VARCHAR(32) NOT NULL, user VARCHAR(64) NOT NULL,
            timestamp INT NOT NULL DEFAULT 0, subject VARCHAR(64) NOT NULL',
        'storages' => 'numeric_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, id VARCHAR(64) UNIQUE, available INT NOT NULL DEFAULT 1',
        'filecache' => 'fileid BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, storage BIGINT NOT NULL, path VARCHAR(4000), path_hash VARCHAR(32) NOT NULL,
            name VARCHAR(250), size BIGINT NOT NULL DEFAULT 0, mtime BIGINT NOT NULL DEFAULT 0, etag VARCHAR(40), UNIQUE (storage, path_hash)',
        'share' => 'id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, share_type SMALLINT NOT NULL DEFAULT 0, password VARCHAR(255), uid_owner VARCHAR(64) NOT NULL,
            item_type VARCHAR(64) NOT NULL, file_source BIGINT, expiration DATETIME, token VARCHAR(32)',
        'jobs' => 'id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, class VARCHAR(255) NOT NULL, argument VARCHAR(4000) NOT NULL DEFAULT \'\', last_run INT DEFAULT 0',
        // What stands for the indices that occ db:add-missing-indices makes.
        'standin_indices' => 'name VARCHAR(64) NOT NULL PRIMARY KEY',
        'migrations' => 'app VARCHAR(255) NOT NULL, version VARCHAR(255) NOT NULL, PRIMARY KEY (app, version)',
    ];

    private ?\PDO $connection = null;

    public function __construct(private Config $config)
    {
    }

    /** @param array<int|string, mixed> $parameters */
    public function run(string $sql, array $parameters = []): \PDOStatement
    {
        $statement = $this->connect()->prepare(str_replace('*PREFIX*', $this->config->text('dbtableprefix', 'oc_'), $sql));
        $statement->execute($parameters);
        return $statement;
    }

    /** @param array<int|string, mixed> $parameters */
    public function value(string $sql, array $parameters = []): ?string
    {
        $value = $this->run($sql, $parameters)->fetchColumn();
        return $value === false || $value === null ? null : (string)$value;
    }

    /** @return list<string> */
    public function column(string $sql, array $parameters = []): array
    {
        return array_map('strval', $this->run($sql, $parameters)->fetchAll(\PDO::FETCH_COLUMN));
    }

    /** @return array<string, string> */
    public function pairs(string $sql, array $parameters = []): array
    {
        return $this->run($sql, $parameters)->fetchAll(\PDO::FETCH_KEY_PAIR);
    }

    public function lastId(): int
    {
        return (int)$this->connect()->lastInsertId();
    }

    public function createTables(): void
    {
        foreach (self::TABLES as $name => $columns) {
            $this->run("CREATE TABLE IF NOT EXISTS *PREFIX*$name ($columns)
                ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        }
    }

    private function connect(): \PDO
    {
        if ($this->connection !== null) {
            return $this->connection;
        }
        [$host, $rest] = explode(':', $this->config->text('dbhost', 'localhost'), 2) + [1 => ''];
        $where = match (true) {
            str_starts_with($rest, '/') => "unix_socket=$rest",
            $rest !== '' => "host=$host;port=$rest",
            default => "host=$host",
        };
        $options = (array)$this->config->get('dbdriveroptions', []) + [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION];
        $this->connection = new \PDO(
            "mysql:$where;dbname={$this->config->text('dbname')};charset=utf8mb4",
            $this->config->text('dbuser'),
            $this->config->text('dbpassword'),
            $options,
        );
        $this->connection->exec('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
        return $this->connection;
    }
}
