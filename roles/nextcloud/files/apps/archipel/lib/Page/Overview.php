<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCA\Archipel\Converge\Change;
use OCA\Archipel\Converge\Office;
use OCA\Archipel\Converge\Operator;
use OCA\Archipel\Converge\Storage;
use OCA\Archipel\NextcloudSpace;
use OCP\IRequest;
use OCP\IURLGenerator;

/** What the page "My space" shows, gathered once. */
final class Overview
{
    public function __construct(
        private NextcloudSpace $space,
        private IURLGenerator $urls,
        private IRequest $request,
        private AdministratorList $administrators,
        private ChangeRequest $changes,
        private ExportRequest $exports,
    ) {
    }

    /** @return array<string, mixed> */
    public function values(): array
    {
        $office = Office::of($this->space);
        $waits = $office->mustWait($this->space);
        if (!$waits && $office->plan($this->space) !== ['disable' => [], 'enable' => []]) {
            // Somebody looks, and nothing stands in the way any more.
            $this->space->askForJobs();
        }
        $storage = Storage::of($this->space);
        return [
            'accounts' => $this->space->accounts(),
            'storage' => [
                'used' => $storage->used,
                'limit' => $storage->limit,
                'percent' => $storage->percent(),
                'counted' => $storage->counted,
            ],
            'release' => $this->space->release(),
            'operator' => Operator::of($this->space),
            'suites' => array_map(fn (array $suite): string => $suite['name'], $office->suites),
            'unserved' => array_values(array_filter(array_keys($office->suites), fn (string $suite): bool => !$office->isServed($suite))),
            'chosen' => $office->chosen($this->space),
            'enabled' => $office->enabled($this->space),
            'pinned' => $office->pinned,
            // With one suite there is nothing to choose, unless the space was given one that this release lacks.
            'single' => array_keys($office->suites) === [$office->chosen($this->space)],
            'waits' => $waits,
            'open' => $waits ? $office->open($this->space) : 0,
            'action' => $this->urls->linkToRoute('archipel.office.choose'),
            'refused' => $this->request->getParam('office') === 'refused',
            'administrators' => $this->administrators->all(),
            'removal' => $this->urls->linkToRoute('archipel.administrators.remove'),
            'change' => $this->changes->state() + [
                'action' => $this->urls->linkToRoute('archipel.change.ask'),
                // Of what an address says, known words alone.
                'refusal' => Change::REFUSALS[(string)$this->request->getParam('change', '')] ?? null,
                'asked' => $this->request->getParam('change') === 'asked',
            ],
            'export' => $this->exports->state() + [
                'start' => $this->urls->linkToRoute('archipel.export.start'),
                'fetch' => $this->urls->linkToRoute('archipel.export.fetch'),
                'gone' => $this->request->getParam('export') === 'gone',
            ],
            'came' => (string)$this->request->getParam('administrator', ''),
        ];
    }
}
