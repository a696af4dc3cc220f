<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Notification;

use OCP\IL10N;

/** The warnings in words, the same in notification and mail. */
final class Words
{
    public function __construct(private IL10N $l10n)
    {
    }

    public function subject(string $what, int $level): string
    {
        return $what === 'accounts'
            ? $this->l10n->t('%s %% of the accounts of your space are taken', [(string)$level])
            : $this->l10n->t('%s %% of the storage of your space is used', [(string)$level]);
    }

    /** The subject of a mail: whose it is, then what it says. */
    public function headline(string $sender, string $what, int $level): string
    {
        return $this->l10n->t('%1$s: %2$s', [$sender, $this->subject($what, $level)]);
    }

    public function advice(string $what): string
    {
        return $what === 'accounts'
            ? $this->l10n->t('Accounts that nobody uses can be disabled: disabled accounts do not count.')
            : $this->l10n->t('Files that nobody needs can be deleted. Deleted files count until the trash is emptied.');
    }

    public function button(): string
    {
        return $this->l10n->t('My space');
    }
}
