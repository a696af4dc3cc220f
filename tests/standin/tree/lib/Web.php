<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** What every address has in common: state, host name, login, errors. */
final class Web
{
    public function __construct(private Server $server)
    {
    }

    /** Runs a page and turns what goes wrong into the answer Nextcloud would give. */
    public static function serve(callable $page, callable $onError): void
    {
        try {
            $server = Server::get();
            $web = new self($server);
            $web->refuseUnlessServing();
            $server->redis()?->ping();
            $page($server, $web);
        } catch (HttpError $error) {
            $onError($error);
        } catch (HintException $error) {
            $onError(new HttpError(503, 'ServiceUnavailable', $error->getMessage()));
        } catch (\Throwable $error) {
            error_log('standin: ' . $error->getMessage());
            $onError(new HttpError(500, 'InternalServerError', 'Internal Server Error'));
        }
    }

    public function refuseUnlessServing(): void
    {
        if (!is_dir($this->server->config->folder) || !is_readable($this->server->config->folder)) {
            throw new \RuntimeException("{$this->server->config->folder} is not readable");
        }
        $problems = $this->server->problems();
        if ($problems !== []) {
            throw new HttpError(503, 'ServiceUnavailable', implode(' ', $problems));
        }
        if (!$this->server->isInstalled()) {
            throw new HttpError(200, 'NotInstalled', 'This space is not installed yet. Web installation is not possible here.');
        }
        if (!$this->isTrusted($_SERVER['HTTP_HOST'] ?? '')) {
            throw new HttpError(400, 'BadRequest', 'Access through untrusted domain');
        }
        if ($this->server->inMaintenance()) {
            header('X-Nextcloud-Maintenance-Mode: 1');
            throw new HttpError(503, 'ServiceUnavailable', 'System is in maintenance mode.');
        }
        if ($this->server->needsUpgrade()) {
            throw new HttpError(503, 'ServiceUnavailable', 'Upgrade needed');
        }
    }

    /** Lets a stand-in application that is on answer, in JSON; false: it has nothing to say. */
    public function serveApplication(string $app, string $path): bool
    {
        $file = ($this->server->apps->available()[$app] ?? '') . '/standin.php';
        if (!isset($this->server->apps->enabled()[$app]) || !is_file($file)) {
            return false;
        }
        header('Content-Type: application/json');
        echo json_encode((require $file)($this->server, $this, $path));
        return true;
    }

    /** The account that the request proves to be, or null. */
    public function account(): ?string
    {
        $name = $_SERVER['PHP_AUTH_USER'] ?? null;
        return $name === null ? null : $this->server->accounts->authenticate($name, $_SERVER['PHP_AUTH_PW'] ?? '');
    }

    private function isTrusted(string $host): bool
    {
        $name = strtolower(preg_replace('/:\d+$/', '', $host) ?? '');
        if ($this->server->config->text('overwritehost') !== '') {
            return true;
        }
        foreach ((array)$this->server->config->get('trusted_domains', []) as $trusted) {
            $pattern = '/^' . str_replace('\*', '[-\.a-z0-9]*', preg_quote(strtolower((string)$trusted), '/')) . '$/D';
            if (preg_match($pattern, $name) === 1 || preg_match($pattern, strtolower($host)) === 1) {
                return true;
            }
        }
        return false;
    }
}
