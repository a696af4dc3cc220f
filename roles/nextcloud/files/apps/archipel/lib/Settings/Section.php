<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Settings;

use OCA\Archipel\AppInfo\Application;
use OCP\IL10N;
use OCP\IURLGenerator;
use OCP\Settings\IIconSection;

/** The entry "My space" in the administration settings. */
final class Section implements IIconSection
{
    public function __construct(private IURLGenerator $urls, private IL10N $l10n)
    {
    }

    public function getID(): string
    {
        return Application::ID;
    }

    public function getName(): string
    {
        return $this->l10n->t('My space');
    }

    public function getPriority(): int
    {
        return 0;
    }

    public function getIcon(): string
    {
        return $this->urls->imagePath(Application::ID, 'app-dark.svg');
    }
}
