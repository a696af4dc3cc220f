<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Notification;

use OCA\Archipel\AppInfo\Application;
use OCP\AppFramework\Utility\ITimeFactory;
use OCP\Defaults;
use OCP\IGroupManager;
use OCP\IURLGenerator;
use OCP\IUser;
use OCP\L10N\IFactory;
use OCP\Mail\IMailer;
use OCP\Notification\IManager;
use Psr\Log\LoggerInterface;

/** Tells every administrator of a space that it is getting full: a notification and a mail. */
final class Letter
{
    public function __construct(
        private IGroupManager $groups,
        private IManager $notifications,
        private IMailer $mailer,
        private IFactory $languages,
        private IURLGenerator $urls,
        private Defaults $defaults,
        private ITimeFactory $time,
        private LoggerInterface $logger,
    ) {
    }

    public function send(string $what, int $level): void
    {
        foreach ($this->groups->get(Application::ADMINISTRATORS)?->getUsers() ?? [] as $user) {
            if ($user->isEnabled()) {
                $this->notify($user, $what, $level);
                $this->mail($user, $what, $level);
            }
        }
    }

    private function notify(IUser $user, string $what, int $level): void
    {
        $notification = $this->notifications->createNotification();
        $notification->setApp(Application::ID)->setUser($user->getUID())->setObject('limit', $what);
        // An older warning about the same thing is out of date.
        $this->notifications->markProcessed($notification);
        $notification->setDateTime($this->time->getDateTime())->setSubject($what, ['level' => $level]);
        $this->notifications->notify($notification);
    }

    private function mail(IUser $user, string $what, int $level): void
    {
        $address = (string)$user->getEMailAddress();
        if ($address === '') {
            return;
        }
        $words = new Words($this->languages->get(Application::ID, $this->languages->getUserLanguage($user)));
        $template = $this->mailer->createEMailTemplate('archipel.limit');
        $template->setSubject($words->headline($this->defaults->getName(), $what, $level));
        $template->addHeader();
        $template->addHeading($words->subject($what, $level));
        $template->addBodyText($words->advice($what));
        $template->addBodyButton($words->button(), $this->urls->linkToRouteAbsolute(
            'settings.AdminSettings.index',
            ['section' => Application::ID],
        ));
        $template->addFooter();
        $message = $this->mailer->createMessage();
        $message->setTo([$address => $user->getDisplayName()]);
        $message->useTemplate($template);
        try {
            $this->mailer->send($message);
        } catch (\Throwable $error) {
            $this->logger->warning('A warning could not be mailed', ['app' => Application::ID, 'exception' => $error]);
        }
    }
}
