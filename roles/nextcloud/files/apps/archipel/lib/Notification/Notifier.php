<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Notification;

use OCA\Archipel\AppInfo\Application;
use OCP\IURLGenerator;
use OCP\L10N\IFactory;
use OCP\Notification\INotification;
use OCP\Notification\INotifier;

/** Puts the warnings into the words of each reader's language. */
final class Notifier implements INotifier
{
    public function __construct(private IFactory $languages, private IURLGenerator $urls)
    {
    }

    public function getID(): string
    {
        return Application::ID;
    }

    public function getName(): string
    {
        return $this->languages->get(Application::ID)->t('My space');
    }

    public function prepare(INotification $notification, string $languageCode): INotification
    {
        if ($notification->getApp() !== Application::ID || $notification->getObjectType() !== 'limit') {
            // What newer releases call UnknownNotificationException is one of these.
            throw new \InvalidArgumentException('not ours');
        }
        $words = new Words($this->languages->get(Application::ID, $languageCode));
        $level = (int)($notification->getSubjectParameters()['level'] ?? 0);
        return $notification
            ->setParsedSubject($words->subject($notification->getSubject(), $level))
            ->setParsedMessage($words->advice($notification->getSubject()))
            ->setIcon($this->urls->getAbsoluteURL($this->urls->imagePath(Application::ID, 'app-dark.svg')))
            ->setLink($this->urls->linkToRouteAbsolute('settings.AdminSettings.index', ['section' => Application::ID]));
    }
}
