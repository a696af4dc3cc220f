<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** The OCS addresses that clients ask first, and the menu. */
final class Ocs
{
    /** @param int $version 1 or 2: they differ in the numbers of success and failure */
    public function __construct(private Server $server, private Web $web, private int $version)
    {
    }

    public function answer(string $path): void
    {
        $uid = $this->web->account();
        if ($path === '/cloud/capabilities') {
            $this->send(200, 'OK', $this->capabilities($uid !== null));
        } elseif ($uid === null) {
            $this->send(401, 'Current user is not logged in', []);
        } elseif ($path === '/cloud/user') {
            $this->send(200, 'OK', $this->user($uid));
        } elseif ($path === '/core/navigation/apps') {
            $this->send(200, 'OK', $this->menu());
        } else {
            $this->send(404, 'Invalid query, please check the syntax.', []);
        }
    }

    /** @param array<string, mixed> $data */
    public function send(int $status, string $message, array $data): void
    {
        http_response_code($this->version === 2 ? $status : ($status === 401 ? 401 : 200));
        $code = [200 => $this->version === 2 ? 200 : 100, 401 => 997, 404 => $this->version === 2 ? 404 : 998][$status] ?? $status;
        $answer = ['ocs' => ['meta' => ['status' => $status === 200 ? 'ok' : 'failure', 'statuscode' => $code, 'message' => $message], 'data' => $data]];
        if (($_GET['format'] ?? '') === 'json' || str_contains($_SERVER['HTTP_ACCEPT'] ?? '', 'application/json')) {
            header('Content-Type: application/json; charset=utf-8');
            echo json_encode($answer, JSON_UNESCAPED_SLASHES);
            return;
        }
        header('Content-Type: text/xml; charset=UTF-8');
        $xml = new \SimpleXMLElement('<?xml version="1.0"?><ocs/>');
        $this->fill($xml, $answer['ocs']);
        echo $xml->asXML();
    }

    /** @return array<string, mixed> */
    private function capabilities(bool $loggedIn): array
    {
        [$major, $minor, $micro] = array_map('intval', explode('.', $this->server->version));
        $theming = ['name' => $this->server->name(), 'color' => $this->server->settings->get('theming', 'primary_color') ?? '#00679e'];
        $public = ['core' => ['webdav-root' => 'remote.php/webdav', 'pollinterval' => 60], 'theming' => $theming];
        $private = ['files' => ['bigfilechunking' => true], 'dav' => ['chunking' => '1.0']];
        return [
            'version' => ['major' => $major, 'minor' => $minor, 'micro' => $micro, 'string' => $this->server->versionString, 'edition' => '', 'extendedSupport' => false],
            'capabilities' => $public + ($loggedIn ? $private : []),
        ];
    }

    /** @return array<string, mixed> */
    private function user(string $uid): array
    {
        $files = new Files($this->server, $uid);
        $settings = $this->server->settings;
        return [
            'id' => $uid,
            'enabled' => true,
            'display-name' => $this->server->accounts->all()[$uid],
            'displayname' => $this->server->accounts->all()[$uid],
            'email' => $settings->ofUser($uid, 'settings', 'email'),
            'groups' => $this->server->accounts->groupsOf($uid),
            'language' => $settings->ofUser($uid, 'core', 'lang') ?? $this->server->config->text('default_language', 'en'),
            'locale' => $settings->ofUser($uid, 'core', 'locale') ?? '',
            'quota' => ['free' => $files->free(), 'used' => $files->used(), 'total' => $files->free() + $files->used(), 'quota' => $files->quota() ?? -3],
        ];
    }

    /** @return list<array<string, mixed>> the applications that have a page */
    private function menu(): array
    {
        $entry = static fn (string $app): array => ['id' => $app, 'type' => 'link', 'href' => "/apps/$app/", 'name' => $app, 'active' => false];
        return array_map($entry, array_values(array_intersect(Pages::APPLICATIONS, array_keys($this->server->apps->enabled()))));
    }

    private function fill(\SimpleXMLElement $xml, array $values): void
    {
        foreach ($values as $key => $value) {
            $name = is_int($key) ? 'element' : $key;
            if (is_array($value)) {
                $this->fill($xml->addChild($name), $value);
            } else {
                $xml->{$name}[] = is_bool($value) ? ($value ? '1' : '') : (string)$value;
            }
        }
    }
}
