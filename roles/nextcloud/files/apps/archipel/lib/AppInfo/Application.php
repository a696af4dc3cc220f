<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\AppInfo;

use OCA\Archipel\Listener\Administrators;
use OCA\Archipel\Listener\CopyBanner;
use OCA\Archipel\Listener\HoldAccountLimit;
use OCA\Archipel\Notification\Notifier;
use OCP\AppFramework\App;
use OCP\AppFramework\Bootstrap\IBootContext;
use OCP\AppFramework\Bootstrap\IBootstrap;
use OCP\AppFramework\Bootstrap\IRegistrationContext;
use OCP\AppFramework\Http\Events\BeforeLoginTemplateRenderedEvent;
use OCP\AppFramework\Http\Events\BeforeTemplateRenderedEvent;
use OCP\Group\Events\UserAddedEvent;
use OCP\Group\Events\UserRemovedEvent;
use OCP\User\Events\UserChangedEvent;

/** What of this application runs by itself inside a space. */
final class Application extends App implements IBootstrap
{
    public const ID = 'archipel';
    /** Accounts of people who run a space, and of everybody they look after. */
    public const ADMINISTRATORS = 'space-admins';
    public const MEMBERS = 'members';

    public function __construct()
    {
        parent::__construct(self::ID);
    }

    public function register(IRegistrationContext $context): void
    {
        $context->registerEventListener(UserChangedEvent::class, HoldAccountLimit::class);
        $context->registerEventListener(UserAddedEvent::class, Administrators::class);
        $context->registerEventListener(UserRemovedEvent::class, Administrators::class);
        $context->registerEventListener(BeforeTemplateRenderedEvent::class, CopyBanner::class);
        $context->registerEventListener(BeforeLoginTemplateRenderedEvent::class, CopyBanner::class);
        $context->registerNotifierService(Notifier::class);
    }

    public function boot(IBootContext $context): void
    {
    }
}
