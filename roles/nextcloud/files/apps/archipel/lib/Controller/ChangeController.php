<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Controller;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\ChangeRequest;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Controller;
use OCP\AppFramework\Http;
use OCP\AppFramework\Http\Attribute\AuthorizedAdminSetting;
use OCP\AppFramework\Http\Attribute\UserRateLimit;
use OCP\AppFramework\Http\RedirectResponse;
use OCP\IRequest;
use OCP\IURLGenerator;

/** The form of the page "My space" by which an association asks for more, or for an end. */
final class ChangeController extends Controller
{
    public function __construct(IRequest $request, private ChangeRequest $changes, private IURLGenerator $urls)
    {
        parent::__construct(Application::ID, $request);
    }

    /** The node takes five a day; this only keeps somebody from trying all day long. */
    #[UserRateLimit(limit: 20, period: 3600)]
    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function ask(string $what = '', string $value = '', string $text = '', string $confirm = ''): RedirectResponse
    {
        $refusal = $this->changes->make($what, $value, $text, $confirm);
        $page = $this->urls->linkToRoute('settings.AdminSettings.index', ['section' => Application::ID]);
        return new RedirectResponse("$page?change=" . ($refusal ?? 'asked') . '#archipel-change', Http::STATUS_SEE_OTHER);
    }
}
