<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Settings;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\Overview;
use OCP\AppFramework\Http\TemplateResponse;
use OCP\IL10N;
use OCP\Settings\IDelegatedSettings;

/** What an association's administrators see of their space, and the one thing they choose. */
final class MySpace implements IDelegatedSettings
{
    public function __construct(private Overview $overview, private IL10N $l10n)
    {
    }

    public function getForm(): TemplateResponse
    {
        return new TemplateResponse(Application::ID, 'my-space', $this->overview->values());
    }

    public function getSection(): string
    {
        return Application::ID;
    }

    public function getPriority(): int
    {
        return 0;
    }

    public function getName(): ?string
    {
        return $this->l10n->t('My space');
    }

    /** Nothing is written past our own controller, which knows what may be chosen. */
    public function getAuthorizedAppConfig(): array
    {
        return [];
    }
}
