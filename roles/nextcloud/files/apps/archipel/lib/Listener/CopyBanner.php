<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Listener;

use OCA\Archipel\AppInfo\Application;
use OCP\AppFramework\Http\Events\BeforeLoginTemplateRenderedEvent;
use OCP\AppFramework\Http\Events\BeforeTemplateRenderedEvent;
use OCP\EventDispatcher\Event;
use OCP\EventDispatcher\IEventListener;
use OCP\IAppConfig;
use OCP\IL10N;
use OCP\Util;

/**
 * Says on every page of a copy what it is: nobody shall take it for the space that it was made of.
 *
 * @template-implements IEventListener<BeforeTemplateRenderedEvent|BeforeLoginTemplateRenderedEvent>
 */
final class CopyBanner implements IEventListener
{
    /** Of the copy's space, the day it was made, and the one it ends; nothing in any other space. */
    public const SETTING = 'copy_of';
    /** Where the script finds the text. */
    public const META = 'archipel-copy';

    public function __construct(private IAppConfig $config, private IL10N $l10n)
    {
    }

    public function handle(Event $event): void
    {
        $text = $this->text();
        if ($text === null) {
            return;
        }
        Util::addHeader('meta', ['name' => self::META, 'content' => $text]);
        Util::addStyle(Application::ID, 'copy');
        Util::addScript(Application::ID, 'copy');
    }

    private function text(): ?string
    {
        $copy = json_decode($this->config->getValueString(Application::ID, self::SETTING, ''), true);
        if (!is_array($copy) || !is_string($copy['space'] ?? null)) {
            return null;
        }
        return $this->l10n->t(
            'This is a copy of the space "%1$s", made on %2$s for trying things. It goes on %3$s with all that is done here. No mail leaves it.',
            [$copy['space'], (string)($copy['on'] ?? ''), (string)($copy['until'] ?? '')],
        );
    }
}
