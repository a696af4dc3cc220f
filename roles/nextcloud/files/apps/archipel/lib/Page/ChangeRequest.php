<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCA\Archipel\Converge\Change;
use OCA\Archipel\NextcloudSpace;
use OCP\IUserSession;

/**
 * What administrators of a space ask its operator for: storage, accounts, a domain, an end.
 *
 * A space changes nothing of that by itself. It leaves a file, which its node takes to those who decide.
 */
final class ChangeRequest
{
    public function __construct(private NextcloudSpace $space, private IUserSession $session)
    {
    }

    /** Why nothing was asked for, a key of Change::REFUSALS; null when it now is. */
    public function make(string $kind, string $value, string $text, string $confirmed): ?string
    {
        $change = Change::of($kind, $value, $text, $confirmed);
        if (is_string($change)) {
            return $change;
        }
        $account = $this->session->getUser()?->getUID() ?? '';
        if (!$this->space->leaveRequest($change->json($account))) {
            return 'way';
        }
        $this->space->saveSetting('archipel', Change::LAST, $change->noted($account, time()));
        return null;
    }

    /** @return array{last: array{what: string, value: string|int|null, at: int, by: string}|null, way: bool} */
    public function state(): array
    {
        return ['last' => Change::last($this->space), 'way' => $this->space->hasRequest()];
    }
}
