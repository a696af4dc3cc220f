<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Controller;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\AdministratorList;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Controller;
use OCP\AppFramework\Http;
use OCP\AppFramework\Http\Attribute\AuthorizedAdminSetting;
use OCP\AppFramework\Http\RedirectResponse;
use OCP\IRequest;
use OCP\IURLGenerator;

/** The forms of the page "My space" by which administrators take this right from one another. */
final class AdministratorsController extends Controller
{
    public function __construct(IRequest $request, private AdministratorList $list, private IURLGenerator $urls)
    {
        parent::__construct(Application::ID, $request);
    }

    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function remove(string $uid = '', string $confirm = '', bool $disable = false): RedirectResponse
    {
        $accepted = $this->list->remove($uid, $confirm, $disable) === null;
        $page = $this->urls->linkToRoute('settings.AdminSettings.index', ['section' => Application::ID]);
        $came = $accepted ? 'removed' : 'refused';
        return new RedirectResponse("$page?administrator=$came#archipel-administrators", Http::STATUS_SEE_OTHER);
    }
}
