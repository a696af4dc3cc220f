<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCA\Archipel\BackgroundJob\SwitchOffice;
use OCA\Archipel\Converge\Office;
use OCA\Archipel\NextcloudSpace;
use OCP\BackgroundJob\IJobList;

/**
 * The choice of the suite by the space's administrators.
 *
 * It is only stored here. The space's own next job turns the connectors off and on: a web
 * request never installs anything.
 */
final class OfficeChoice
{
    public function __construct(private NextcloudSpace $space, private IJobList $jobs)
    {
    }

    /** Why the suite may not be chosen, or null when it now is. */
    public function make(string $suite): ?string
    {
        $office = Office::of($this->space);
        if ($office->pinned) {
            return $this->space->translate('', 'The operator has chosen the office suite of this space.', []);
        }
        if (!isset($office->suites[$suite])) {
            return $this->space->translate('', 'There is no such office suite here.', []);
        }
        if ($office->chosen($this->space) !== $suite) {
            $this->space->saveSetting('archipel', Office::SINCE, time());
        }
        $this->space->saveSetting('archipel', Office::CHOICE, $suite);
        if ($office->plan($this->space) !== ['disable' => [], 'enable' => []]) {
            $this->jobs->add(SwitchOffice::class);
            $this->space->askForJobs();
        }
        return null;
    }

    /** @return array{suites: array<string, string>, chosen: string|null, enabled: string|null, pinned: bool, waits: bool, open: int|null} */
    public function state(): array
    {
        $office = Office::of($this->space);
        return [
            'suites' => array_map(fn (array $suite): string => $suite['name'], $office->suites),
            'chosen' => $office->chosen($this->space),
            'enabled' => $office->enabled($this->space),
            'pinned' => $office->pinned,
            'waits' => $office->mustWait($this->space),
            'open' => $office->open($this->space),
        ];
    }
}
