<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Controller;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\OfficeChoice;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Http\Attribute\AuthorizedAdminSetting;
use OCP\AppFramework\Http\DataResponse;
use OCP\AppFramework\OCS\OCSForbiddenException;
use OCP\AppFramework\OCSController;
use OCP\IRequest;

/** The office suite of a space, for programs. */
final class OfficeApiController extends OCSController
{
    public function __construct(IRequest $request, private OfficeChoice $choice)
    {
        parent::__construct(Application::ID, $request);
    }

    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function show(): DataResponse
    {
        return new DataResponse($this->choice->state());
    }

    /** @throws OCSForbiddenException the suite may not be chosen */
    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function choose(string $suite = ''): DataResponse
    {
        $refusal = $this->choice->make($suite);
        if ($refusal !== null) {
            throw new OCSForbiddenException($refusal);
        }
        return new DataResponse($this->choice->state());
    }
}
