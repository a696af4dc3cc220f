<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Converge\Export;
use OCA\Archipel\NextcloudSpace;
use OCP\IUserSession;
use Psr\Log\LoggerInterface;

/**
 * A copy of everything in the space, for its association.
 *
 * The node makes it, not the space: a space asks, and finds the archive in a folder of the node's.
 */
final class ExportRequest
{
    public function __construct(private NextcloudSpace $space, private IUserSession $session, private LoggerInterface $logger)
    {
    }

    /** Asks for an export; false: one is on its way, or there. */
    public function start(): bool
    {
        $asked = $this->space->exportFile() === null && $this->space->askForExport();
        if ($asked) {
            // It holds what every account has: who asked is on record.
            $this->log('{uid} has asked for an export of this whole space');
        }
        return $asked;
    }

    /** The archive, for somebody who fetches it; null: there is none. */
    public function file(): ?string
    {
        $file = $this->space->exportFile();
        if ($file !== null) {
            $this->log('{uid} has fetched the export of this whole space');
        }
        return $file;
    }

    /** @return array{way: bool, ready: bool, failed: bool, at: int, until: int, size: int} */
    public function state(): array
    {
        $export = Export::of($this->space->exportState());
        $way = $this->space->hasExportRequest();
        return [
            'way' => $way || $export?->state === Export::RUNNING,
            'ready' => $export?->state === Export::READY && $this->space->exportFile() !== null,
            'failed' => !$way && $export?->state === Export::FAILED,
            'at' => $export->at ?? 0,
            'until' => $export->until ?? 0,
            'size' => $export->size ?? 0,
        ];
    }

    private function log(string $text): void
    {
        $this->logger->warning($text, ['app' => Application::ID, 'uid' => $this->session->getUser()?->getUID() ?? '']);
    }
}
