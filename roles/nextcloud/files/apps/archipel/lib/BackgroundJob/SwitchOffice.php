<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\BackgroundJob;

use OCA\Archipel\Converge\Office;
use OCA\Archipel\NextcloudSpace;
use OCP\AppFramework\Utility\ITimeFactory;
use OCP\BackgroundJob\QueuedJob;

/**
 * Carries out the choice of an office suite: the other connector off, then this one on.
 *
 * Documents that are open in the other one could not be saved any more: it waits for them.
 */
final class SwitchOffice extends QueuedJob
{
    public function __construct(ITimeFactory $time, private NextcloudSpace $space)
    {
        parent::__construct($time);
    }

    protected function run($argument): void
    {
        $office = Office::of($this->space);
        if ($office->mustWait($this->space)) {
            // People are writing: the next turn of the space's jobs looks again.
            $this->space->scheduleSwitch();
            return;
        }
        $plan = $office->plan($this->space);
        foreach ($plan['disable'] as $application) {
            $this->space->disable($application);
        }
        foreach ($plan['enable'] as $application) {
            $this->space->enable($application);
        }
        $this->space->saveSetting('archipel', Office::SINCE, null);
    }
}
