<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** The few pages a visitor sees before logging in, and bare ones for whoever is. */
final class Pages
{
    /** Applications that have a page of their own. */
    public const APPLICATIONS = ['activity', 'dashboard', 'files', 'photos'];

    private string $requestToken;

    public function __construct(private Server $server)
    {
        session_name($server->config->text('instanceid', 'standin'));
        session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'cookie_secure' => ($_SERVER['HTTPS'] ?? '') === 'on']);
        $this->requestToken = $_SESSION['requesttoken'] ??= bin2hex(random_bytes(16));
    }

    /** @param string|null $account that the request proves to be */
    public function show(string $path, ?string $account = null): void
    {
        $reset = '#^/lostpassword/(reset/form|set)/([^/]+)/([^/]+)$#';
        if (preg_match($reset, $path, $parts) === 1) {
            $this->lostPassword($parts[1], $parts[2], rawurldecode($parts[3]));
            return;
        }
        match ($path) {
            '', '/' => $this->redirect('/login'),
            '/login' => $this->login(),
            '/settings/user' => $this->inside($path, 'settings', $account),
            default => preg_match('#^/apps/([a-z0-9_]+)/?$#D', $path, $parts) === 1
                ? $this->inside($path, $parts[1], $account)
                : throw new HttpError(404, 'NotFound', 'Page not found'),
        };
    }

    /** A page for whoever is logged in. It is put together with a file from the folder of the applications' data. */
    private function inside(string $path, string $app, ?string $account): void
    {
        if (!in_array($app, [...self::APPLICATIONS, 'settings'], true) || !isset($this->server->apps->enabled()[$app])) {
            throw new HttpError(404, 'NotFound', 'Page not found');
        }
        if ($account === null) {
            $this->redirect('/login?redirect_url=' . rawurlencode(rtrim($path, '/')));
            return;
        }
        $breaks = $this->server->settings->get($app, 'standin_page_breaks');
        if ($breaks !== null && (int)$this->server->version >= (int)$breaks) {
            throw new HttpError(500, 'InternalServerError', 'Internal Server Error');
        }
        (new AppData($this->server))->content('js/core/merged-template-prepend.js');
        $app === 'files' ? $this->files() : $this->page($app, '<p>This application is not part of the stand-in.</p>');
    }

    /** Newer releases read here as a flag what older ones read as a text. */
    private function files(): void
    {
        $settings = $this->server->settings;
        $sharing = 'outgoing_server2server_share_enabled';
        $shares = (int)$this->server->version >= 33
            ? $settings->flag('files_sharing', $sharing, true)
            : ($settings->get('files_sharing', $sharing) ?? 'yes') === 'yes';
        $this->page('Files', $shares ? '<p>Shares with other servers are possible.</p>' : '');
    }

    public static function error(HttpError $error): void
    {
        http_response_code($error->status);
        $text = htmlspecialchars($error->getMessage(), ENT_QUOTES);
        echo "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>$text</title></head><body><main><h1>$text</h1></main></body></html>\n";
    }

    private function redirect(string $path): void
    {
        header('Location: ' . $this->server->url($path), true, 302);
    }

    private function login(): void
    {
        $this->page('Login', '<form method="post" name="login"><label>Account <input name="user" id="user" required></label>
            <label>Password <input type="password" name="password" id="password" required></label>
            <input type="hidden" name="requesttoken" value="' . $this->requestToken . '"><button>Log in</button></form>');
    }

    private function lostPassword(string $step, string $token, string $uid): void
    {
        if ($step === 'set' && $_SERVER['REQUEST_METHOD'] === 'POST') {
            $this->setPassword($token, $uid);
            return;
        }
        if (($wrong = $this->server->accounts->wrongWithResetToken($uid, $token)) !== '') {
            $this->page('Error', "<p>$wrong</p>");
            return;
        }
        $this->page('Set your password', '<form method="post" action="' . htmlspecialchars($this->server->url("/lostpassword/set/$token/" . rawurlencode($uid))) . '">
            <label>New password <input type="password" name="password" minlength="10" required></label>
            <input type="hidden" name="requesttoken" value="' . $this->requestToken . '"><button>Set password</button></form>');
    }

    private function setPassword(string $token, string $uid): void
    {
        $sent = $_SERVER['HTTP_REQUESTTOKEN'] ?? $_POST['requesttoken'] ?? '';
        if (!hash_equals($this->requestToken, $sent)) {
            throw new HttpError(412, 'PreconditionFailed', 'CSRF check failed');
        }
        header('Content-Type: application/json; charset=utf-8');
        if (($wrong = $this->server->accounts->wrongWithResetToken($uid, $token)) !== '') {
            echo json_encode(['status' => 'error', 'msg' => $wrong]);
            return;
        }
        $this->server->accounts->setPassword($uid, (string)($_POST['password'] ?? ''));
        $this->server->settings->setOfUser($uid, 'core', 'lostpassword', null);
        echo json_encode(['user' => $uid, 'status' => 'success']);
    }

    private function page(string $title, string $content): void
    {
        header('Content-Type: text/html; charset=UTF-8');
        header("Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'self'");
        header('Cache-Control: no-cache, no-store, must-revalidate');
        $name = htmlspecialchars($this->server->name(), ENT_QUOTES);
        $settings = $this->server->settings;
        $color = $settings->get('theming', 'primary_color') ?? $settings->get('theming', 'color') ?? '#00679e';
        $color = htmlspecialchars($color, ENT_QUOTES);
        $slogan = htmlspecialchars($settings->get('theming', 'slogan') ?? '', ENT_QUOTES);
        $lang = htmlspecialchars($this->server->config->text('default_language', 'en'), ENT_QUOTES);
        echo <<<HTML
            <!DOCTYPE html>
            <html lang="$lang">
            <head data-requesttoken="{$this->requestToken}">
            <meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <meta name="theme-color" content="$color">
            <title>$title – $name</title>
            <link rel="stylesheet" href="/core/css/guest.css"><link rel="icon" href="/core/img/favicon.svg">
            </head>
            <body id="body-login"><main><h1>$name</h1><p>$slogan</p>$content
            <footer>Archipel stand-in {$this->server->versionString}: not a Nextcloud, for tests and demonstrations.</footer></main></body>
            </html>

            HTML;
    }
}
