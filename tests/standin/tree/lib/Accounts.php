<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** Accounts, groups, passwords and the account limit. */
final class Accounts
{
    private const NAME = "/^[a-zA-Z0-9 _.@\\-']+$/D";
    /** Nothing shorter is taken for an application password. */
    private const TOKEN_LENGTH = 22;
    public const RESET_LIFETIME = 7 * 24 * 3600;

    public function __construct(private Database $database, private Settings $settings, private Config $config)
    {
    }

    public function exists(string $uid): bool
    {
        return $this->canonical($uid) !== null;
    }

    /** Account names are found whatever their case; the stored spelling counts. */
    public function canonical(string $uid): ?string
    {
        return $this->database->value('SELECT uid FROM *PREFIX*users WHERE uid_lower = ?', [mb_strtolower($uid)]);
    }

    /** @return array<string, string> uid => display name */
    public function all(): array
    {
        return $this->database->pairs('SELECT uid, COALESCE(NULLIF(displayname, ""), uid) FROM *PREFIX*users ORDER BY uid');
    }

    public function add(string $uid, string $password): void
    {
        if (preg_match(self::NAME, $uid) !== 1) {
            throw new HintException('Only the following characters are allowed in a Login: "a-z", "A-Z", "0-9", spaces and "_.@-\'"');
        }
        if ($password === '') {
            throw new HintException('A valid password must be provided');
        }
        if ($this->exists($uid)) {
            throw new HintException('The Login is already being used');
        }
        if ($this->config->flag('one-click-instance') && $this->active() >= $this->limit()) {
            throw new HintException('The user was not created because the user limit has been reached. Check your notifications to learn more.');
        }
        $this->database->run(
            'INSERT INTO *PREFIX*users (uid, displayname, password, uid_lower) VALUES (?, NULL, ?, ?)',
            [$uid, $this->hash($password), mb_strtolower($uid)],
        );
        $home = $this->home($uid) . '/files';
        if (!is_dir($home) && !@mkdir($home, 0750, true)) {
            throw new HintException("Your data directory is not writable: $home");
        }
    }

    public function remove(string $uid): void
    {
        foreach (['users' => 'uid', 'group_user' => 'uid', 'group_admin' => 'uid', 'preferences' => 'userid', 'authtoken' => 'uid'] as $table => $column) {
            $this->database->run("DELETE FROM *PREFIX*$table WHERE $column = ?", [$uid]);
        }
        Files::removeTree($this->home($uid));
    }

    public function home(string $uid): string
    {
        return rtrim($this->config->text('datadirectory'), '/') . '/' . $uid;
    }

    public function setPassword(string $uid, string $password): void
    {
        $this->database->run('UPDATE *PREFIX*users SET password = ? WHERE uid = ?', [$this->hash($password), $uid]);
    }

    public function setDisplayName(string $uid, string $name): void
    {
        if (mb_strlen($name) > 64) {
            throw new \InvalidArgumentException('Invalid displayname');
        }
        $this->database->run('UPDATE *PREFIX*users SET displayname = ? WHERE uid = ?', [$name, $uid]);
    }

    public function isEnabled(string $uid): bool
    {
        return $this->settings->ofUser($uid, 'core', 'enabled') !== 'false';
    }

    public function setEnabled(string $uid, bool $enabled): void
    {
        $this->settings->setOfUser($uid, 'core', 'enabled', $enabled ? 'true' : 'false');
    }

    /** Accounts that count for the limit: all but the disabled ones. */
    public function active(): int
    {
        return (int)$this->database->value(
            "SELECT COUNT(*) FROM *PREFIX*users WHERE uid NOT IN (SELECT userid FROM *PREFIX*preferences
             WHERE appid = 'core' AND configkey = 'enabled' AND configvalue = 'false')",
        );
    }

    public function limit(): int
    {
        return (int)$this->config->get('one-click-instance.user-limit', 50);
    }

    /** The account these credentials belong to, or null. A mail address works as a name, as in Nextcloud. */
    public function authenticate(string $name, string $secret): ?string
    {
        $uid = $this->canonical($name) ?? $this->database->value(
            "SELECT userid FROM *PREFIX*preferences WHERE appid = 'settings' AND configkey = 'email' AND configvalue = ?",
            [$name],
        );
        if ($uid === null || !$this->isEnabled($uid)) {
            return null;
        }
        if ($this->ofToken($secret, $name) === $uid) {
            return $this->seen($uid);
        }
        $stored = (string)$this->database->value('SELECT password FROM *PREFIX*users WHERE uid = ?', [$uid]);
        [, $hash] = explode('|', $stored, 2) + [1 => ''];
        return password_verify($secret, $hash) ? $this->seen($uid) : null;
    }

    private function seen(string $uid): string
    {
        $this->settings->setOfUser($uid, 'login', 'lastLogin', (string)time());
        return $uid;
    }

    /** The account of an application password: a permanent one of the present kind, in time, for this login name. */
    private function ofToken(string $token, string $name): ?string
    {
        return strlen($token) < self::TOKEN_LENGTH ? null : $this->database->value(
            'SELECT uid FROM *PREFIX*authtoken WHERE token = ? AND LOWER(login_name) = ? AND type = 1 AND version = 2
             AND password_invalid = 0 AND (expires IS NULL OR expires > ?)',
            [$this->tokenHash($token), mb_strtolower($name), time()],
        );
    }

    /** Its account is told, in its activity and by mail: somebody else may have made it. */
    public function addAppPassword(string $uid, string $name): string
    {
        $token = self::random(72);
        $this->database->run(
            'INSERT INTO *PREFIX*authtoken (uid, login_name, name, token, type, version) VALUES (?, ?, ?, ?, 1, 2)',
            [$uid, $uid, $name, $this->tokenHash($token)],
        );
        $this->tell($uid, 'settings', 'app_token_created', $name);
        return $token;
    }

    /** An entry in an account's activity, and the mail about it that waits to be sent. */
    public function tell(string $uid, string $app, string $subject, string $about): void
    {
        $this->database->run(
            'INSERT INTO *PREFIX*activity (timestamp, app, subject, affecteduser, file) VALUES (?, ?, ?, ?, ?)',
            [time(), $app, $subject, $uid, $about],
        );
        $this->database->run(
            'INSERT INTO *PREFIX*activity_mq (amq_timestamp, amq_latest_send, amq_type, amq_affecteduser, amq_appid, amq_subject) VALUES (?, ?, ?, ?, ?, ?)',
            [time(), time() + 3600, $subject, $uid, $app, $subject],
        );
    }

    /** Bound to the mail address of the moment: a letter that went elsewhere opens nothing any more. */
    public function resetToken(string $uid): string
    {
        $token = self::random(21);
        $this->settings->setOfUser($uid, 'core', 'lostpassword', time() . ':' . $this->tokenHash($token . $this->mailAddress($uid)));
        return $token;
    }

    /** Why a link to a password does not work, or nothing. One is out of date too once its account was used. */
    public function wrongWithResetToken(string $uid, string $token): string
    {
        [$time, $hash] = explode(':', (string)$this->settings->ofUser($uid, 'core', 'lostpassword'), 2) + [1 => ''];
        if (!$this->isEnabled($uid) || !hash_equals($hash, $this->tokenHash($token . $this->mailAddress($uid)))) {
            return 'Could not reset password because the token is invalid';
        }
        $late = (int)$time < time() - self::RESET_LIFETIME || $this->lastLogin($uid) > (int)$time;
        return $late ? 'Could not reset password because the token is expired' : '';
    }

    public function mailAddress(string $uid): string
    {
        return (string)$this->settings->ofUser($uid, 'settings', 'email');
    }

    public function lastLogin(string $uid): int
    {
        return (int)$this->settings->ofUser($uid, 'login', 'lastLogin');
    }

    /** @return array<string, list<string>> group => members */
    public function groups(): array
    {
        $groups = [];
        foreach ($this->database->column('SELECT gid FROM *PREFIX*groups ORDER BY gid') as $group) {
            $groups[$group] = $this->database->column('SELECT uid FROM *PREFIX*group_user WHERE gid = ? ORDER BY uid', [$group]);
        }
        return $groups;
    }

    public function hasGroup(string $group): bool
    {
        return $this->database->value('SELECT gid FROM *PREFIX*groups WHERE gid = ?', [$group]) !== null;
    }

    public function addGroup(string $group): void
    {
        $this->database->run('INSERT IGNORE INTO *PREFIX*groups VALUES (?, ?)', [$group, $group]);
    }

    public function removeGroup(string $group): void
    {
        foreach (['groups' => 'gid', 'group_user' => 'gid', 'group_admin' => 'gid', 'authorized_groups' => 'group_id'] as $table => $column) {
            $this->database->run("DELETE FROM *PREFIX*$table WHERE $column = ?", [$group]);
        }
    }

    public function addMember(string $uid, string $group): void
    {
        $this->database->run('INSERT IGNORE INTO *PREFIX*group_user (gid, uid) VALUES (?, ?)', [$group, $uid]);
    }

    /** @return list<string> */
    public function groupsOf(string $uid): array
    {
        return $this->database->column('SELECT gid FROM *PREFIX*group_user WHERE uid = ? ORDER BY gid', [$uid]);
    }

    public static function random(int $length): string
    {
        return substr(strtr(base64_encode(random_bytes($length)), '+/', 'ab'), 0, $length);
    }

    /** The figure before the bar is Nextcloud's own mark for the kind of hash. */
    private function hash(string $password): string
    {
        return defined('PASSWORD_ARGON2ID')
            ? '3|' . password_hash($password, PASSWORD_ARGON2ID)
            : '1|' . password_hash($password, PASSWORD_BCRYPT);
    }

    private function tokenHash(string $token): string
    {
        return hash('sha512', $token . $this->config->text('secret'));
    }
}
