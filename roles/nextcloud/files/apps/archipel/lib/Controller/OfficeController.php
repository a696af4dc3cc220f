<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Controller;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\OfficeChoice;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Controller;
use OCP\AppFramework\Http;
use OCP\AppFramework\Http\Attribute\AuthorizedAdminSetting;
use OCP\AppFramework\Http\RedirectResponse;
use OCP\IRequest;
use OCP\IURLGenerator;

/** The form of the page "My space": it works without JavaScript, so it is a plain post. */
final class OfficeController extends Controller
{
    public function __construct(IRequest $request, private OfficeChoice $choice, private IURLGenerator $urls)
    {
        parent::__construct(Application::ID, $request);
    }

    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function choose(string $suite = ''): RedirectResponse
    {
        $accepted = $this->choice->make($suite) === null;
        $page = $this->urls->linkToRoute('settings.AdminSettings.index', ['section' => Application::ID]);
        return new RedirectResponse($page . ($accepted ? '' : '?office=refused') . '#archipel-office', Http::STATUS_SEE_OTHER);
    }
}
