<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Page;

use OCA\Archipel\Converge\Change;
use OCP\IL10N;

/** What may be asked for, in words. */
final class Asked
{
    /** @return array<string, array{title: string, label: string, number: bool, note: string}> kind => its form */
    public static function forms(IL10N $l): array
    {
        $form = fn (string $title, string $label, bool $number, string $note): array => ['title' => $title, 'label' => $label, 'number' => $number, 'note' => $note];
        return [
            Change::STORAGE => $form($l->t('More storage'), $l->t('Storage in all, in GB'), true, ''),
            Change::ACCOUNTS => $form($l->t('More accounts'), $l->t('Accounts in all'), true, ''),
            Change::DOMAIN => $form($l->t('A domain of your own'), $l->t('Domain'), false, $l->t('You need the right to change its DNS. You will be told what to enter there.')),
            Change::SUSPEND => $form($l->t('Suspend this space'), '', false, $l->t('Nobody can log in then. Nothing is deleted, and it can be opened again.')),
            Change::CLOSE => $form($l->t('Close this space'), '', false, $l->t('Its data are kept for a while and then deleted. Until then you can be given a complete copy.')),
        ];
    }

    /** A request in words. */
    public static function words(IL10N $l, string $kind, string|int|null $value): string
    {
        return match ($kind) {
            Change::STORAGE => $l->t('%s GB of storage', [(string)$value]),
            Change::ACCOUNTS => $l->t('%s accounts', [(string)$value]),
            Change::DOMAIN => $l->t('the domain %s', [(string)$value]),
            Change::SUSPEND => $l->t('to suspend this space'),
            default => $l->t('to close this space'),
        };
    }
}
