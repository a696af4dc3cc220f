<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Controller;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\ExportRequest;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Controller;
use OCP\AppFramework\Http;
use OCP\AppFramework\Http\Attribute\AuthorizedAdminSetting;
use OCP\AppFramework\Http\Attribute\UserRateLimit;
use OCP\AppFramework\Http\RedirectResponse;
use OCP\AppFramework\Http\StreamResponse;
use OCP\IRequest;
use OCP\IURLGenerator;

/** The forms of the page "My space" by which an association starts an export and fetches it. */
final class ExportController extends Controller
{
    public function __construct(IRequest $request, private ExportRequest $exports, private IURLGenerator $urls)
    {
        parent::__construct(Application::ID, $request);
    }

    #[UserRateLimit(limit: 20, period: 3600)]
    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function start(): RedirectResponse
    {
        return $this->page($this->exports->start() ? 'asked' : 'there');
    }

    #[UserRateLimit(limit: 20, period: 3600)]
    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function fetch(): StreamResponse|RedirectResponse
    {
        $file = $this->exports->file();
        if ($file === null) {
            return $this->page('gone');
        }
        $response = new StreamResponse($file);
        $response->addHeader('Content-Type', 'application/gzip');
        $response->addHeader('Content-Length', (string)filesize($file));
        $response->addHeader('Content-Disposition', 'attachment; filename="export.tar.gz"');
        return $response;
    }

    private function page(string $came): RedirectResponse
    {
        $page = $this->urls->linkToRoute('settings.AdminSettings.index', ['section' => Application::ID]);
        return new RedirectResponse("$page?export=$came#archipel-export", Http::STATUS_SEE_OTHER);
    }
}
