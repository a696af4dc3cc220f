<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Controller;

use OCA\Archipel\AppInfo\Application;
use OCA\Archipel\Page\AdministratorList;
use OCA\Archipel\Settings\MySpace;
use OCP\AppFramework\Http\Attribute\AuthorizedAdminSetting;
use OCP\AppFramework\Http\DataResponse;
use OCP\AppFramework\OCS\OCSForbiddenException;
use OCP\AppFramework\OCSController;
use OCP\IRequest;

/** The administrators of a space, for programs. */
final class AdministratorsApiController extends OCSController
{
    public function __construct(IRequest $request, private AdministratorList $list)
    {
        parent::__construct(Application::ID, $request);
    }

    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function show(): DataResponse
    {
        return new DataResponse($this->list->all());
    }

    /** @throws OCSForbiddenException this right may not be taken from them, or not by this person */
    #[AuthorizedAdminSetting(settings: MySpace::class)]
    public function remove(string $uid, string $confirm = '', bool $disable = false): DataResponse
    {
        $refusal = $this->list->remove($uid, $confirm, $disable);
        if ($refusal !== null) {
            throw new OCSForbiddenException($refusal);
        }
        return new DataResponse($this->list->all());
    }
}
