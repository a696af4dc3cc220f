<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use OCA\Archipel\Page\Asked;
use OCA\Archipel\Page\Size;

/** @var \OCP\IL10N $l */
/** @var array<string, mixed> $_ */
\OCP\Util::addStyle('archipel', 'my-space');
$pending = $_['chosen'] !== $_['enabled'];
if ($pending) {
    // Without JavaScript the page says what to do.
    \OCP\Util::addScript('archipel', 'my-space');
}
$accounts = $_['accounts'];
$storage = $_['storage'];
$operator = $_['operator'];
$change = $_['change'];
$export = $_['export'];
?>
<div class="section archipel" id="archipel-my-space">
    <h2><?php p($l->t('My space')); ?></h2>

    <section class="archipel-use" aria-label="<?php p($l->t('Use')); ?>">
        <div>
            <h3 id="archipel-accounts"><?php p($l->t('Accounts')); ?></h3>
<?php if ($accounts['limit'] !== null) { ?>
            <p><?php p($l->t('%1$s of %2$s', [(string)$accounts['used'], (string)$accounts['limit']])); ?></p>
            <meter aria-labelledby="archipel-accounts" min="0" max="<?php p($accounts['limit']); ?>" high="<?php p((int)($accounts['limit'] * 0.8)); ?>" value="<?php p($accounts['used']); ?>"></meter>
<?php } else { ?>
            <p><?php p((string)$accounts['used']); ?></p>
<?php } ?>
            <p class="archipel-note"><?php p($l->t('Disabled accounts do not count.')); ?></p>
        </div>
        <div>
            <h3 id="archipel-storage"><?php p($l->t('Storage')); ?></h3>
<?php if ($storage['limit'] !== null) { ?>
            <p><?php p($l->t('%1$s of %2$s', [Size::words($l, $storage['used']), Size::words($l, $storage['limit'])])); ?></p>
            <meter aria-labelledby="archipel-storage" min="0" max="100" high="80" value="<?php p($storage['percent']); ?>"></meter>
<?php } else { ?>
            <p><?php p(Size::words($l, $storage['used'])); ?></p>
<?php } ?>
            <p class="archipel-note"><?php p($l->t('Shared by everybody in this space, with trash and old versions.')); ?>
<?php if ($storage['counted'] === 'index') { ?>
                <?php p($l->t('As far as Nextcloud has indexed it.')); ?>
<?php } ?>
            </p>
        </div>
        <div>
            <h3><?php p($l->t('Release')); ?></h3>
            <p>Nextcloud <?php p($_['release']); ?></p>
            <p class="archipel-note"><?php p($l->t('Kept up to date for you.')); ?></p>
        </div>
    </section>

    <section id="archipel-office">
        <h3><?php p($l->t('Office suite')); ?></h3>
<?php if ($_['refused']) { ?>
        <p role="alert"><?php p($l->t('This suite cannot be chosen. Nothing was changed.')); ?></p>
<?php } ?>
<?php if ($_['suites'] === []) { ?>
        <p><?php p($l->t('There is no office suite in this space.')); ?></p>
<?php } elseif ($_['single']) { ?>
        <p><?php p($l->t('Everybody in this space edits documents with:')); ?> <strong><?php p(current($_['suites'])); ?></strong></p>
<?php } else { ?>
        <form method="post" action="<?php p($_['action']); ?>"<?php if ($pending) { ?> data-archipel-pending<?php } ?>>
            <input type="hidden" name="requesttoken" value="<?php p($_['requesttoken']); ?>">
            <fieldset<?php if ($_['pinned']) { ?> disabled<?php } ?>>
                <legend><?php p($l->t('Everybody in this space edits documents with:')); ?></legend>
<?php foreach ($_['suites'] as $id => $suite) { ?>
                <p>
                    <input type="radio" class="radio" name="suite" id="archipel-suite-<?php p($id); ?>" value="<?php p($id); ?>"<?php if ($id === $_['chosen']) { ?> checked<?php } ?>>
                    <label for="archipel-suite-<?php p($id); ?>"><?php p($suite); ?><?php if (in_array($id, $_['unserved'], true)) { ?> <em><?php p($l->t('(no server)')); ?></em><?php } elseif ($id === $_['enabled']) { ?> <em><?php p($l->t('(in use)')); ?></em><?php } ?></label>
                </p>
<?php } ?>
            </fieldset>
<?php if ($_['pinned']) { ?>
            <p class="archipel-note"><?php p($l->t('The operator has chosen the office suite of this space.')); ?></p>
<?php } else { ?>
            <button type="submit" class="primary"><?php p($l->t('Use this suite')); ?></button>
            <p class="archipel-note"><?php p($l->t('The change waits for documents that are being edited. You may change your mind as often as you like.')); ?></p>
<?php } ?>
        </form>
<?php } ?>
<?php if (in_array($_['chosen'], $_['unserved'], true)) { ?>
        <p class="archipel-note" role="status"><?php p($l->t('No server of this suite is connected to this space: documents cannot be edited here yet.')); ?></p>
<?php } ?>
<?php if ($pending && $_['waits']) { ?>
        <p role="status">
<?php if ($_['open'] === null) { ?>
                <?php p($l->t('The office server does not tell whether documents are open. The change waits for ten minutes.')); ?>
<?php } else { ?>
                <?php p($l->t('Documents are being edited in the suite in use: %s. The change waits until they are closed, a day at most.', [(string)$_['open']])); ?>
<?php } ?>
        </p>
<?php } elseif ($pending) { ?>
        <p role="status"><?php p($l->t('The change is on its way: it takes effect within a minute. Load this page again to see it.')); ?></p>
<?php } ?>
    </section>

    <section id="archipel-administrators">
        <h3><?php p($l->t('Administrators')); ?></h3>
<?php if ($_['came'] === 'refused') { ?>
        <p role="alert"><?php p($l->t('This right was not taken from anybody. Confirm whom you mean; nobody takes it from themselves.')); ?></p>
<?php } elseif ($_['came'] === 'removed') { ?>
        <p role="status"><?php p($l->t('This right was taken away. The account is an ordinary one now: under Accounts it can be disabled or deleted.')); ?></p>
<?php } ?>
        <ul>
<?php foreach ($_['administrators'] as $number => $one) { ?>
            <li>
                <strong><?php p($one['name']); ?></strong> (<?php p($one['uid']); ?>)<?php if (!$one['enabled']) { ?> <em><?php p($l->t('(disabled)')); ?></em><?php } ?><?php if ($one['self']) { ?> <em><?php p($l->t('(you)')); ?></em><?php } ?>

<?php if (!$one['self']) { ?>
                <details>
                    <summary><?php p($l->t('No longer an administrator')); ?></summary>
                    <form method="post" action="<?php p($_['removal']); ?>">
                        <input type="hidden" name="requesttoken" value="<?php p($_['requesttoken']); ?>">
                        <input type="hidden" name="uid" value="<?php p($one['uid']); ?>">
                        <p>
                            <input type="checkbox" class="checkbox" name="disable" id="archipel-disable-<?php p((string)$number); ?>" value="1">
                            <label for="archipel-disable-<?php p((string)$number); ?>"><?php p($l->t('Disable the account too: it can no longer log in, its files stay')); ?></label>
                        </p>
                        <p>
                            <input type="checkbox" class="checkbox" name="confirm" id="archipel-confirm-<?php p((string)$number); ?>" value="<?php p($one['uid']); ?>" required>
                            <label for="archipel-confirm-<?php p((string)$number); ?>"><?php p($l->t('I mean %s', [$one['name']])); ?></label>
                        </p>
                        <button type="submit"><?php p($l->t('Take this right away')); ?></button>
                    </form>
                </details>
<?php } ?>
            </li>
<?php } ?>
        </ul>
        <p class="archipel-note"><?php p($l->t('Under Accounts, whoever is added to the group space-admins administers this space. At least one always does.')); ?></p>
    </section>

    <section id="archipel-change">
        <h3><?php p($l->t('Ask for a change')); ?></h3>
<?php if ($change['refusal'] !== null) { ?>
        <p role="alert"><?php p($l->t($change['refusal'])); ?></p>
<?php } elseif ($change['asked']) { ?>
        <p role="status"><?php p($l->t('Your request is on its way. Whoever runs this space decides on it and writes to your association.')); ?></p>
<?php } ?>
<?php if ($change['last'] !== null) { ?>
        <p class="archipel-note"><?php p($l->t('Asked for last: %1$s, on %2$s.', [Asked::words($l, $change['last']['what'], $change['last']['value']), $l->l('date', $change['last']['at'])])); ?><?php if ($change['way']) { ?> <?php p($l->t('It is still on its way.')); ?><?php } ?></p>
<?php } ?>
        <p><?php p($l->t('Somebody decides on each request, within some days. Nothing changes by itself.')); ?></p>
<?php foreach (Asked::forms($l) as $kind => $form) { ?>
        <details>
            <summary><?php p($form['title']); ?></summary>
            <form method="post" action="<?php p($change['action']); ?>">
                <input type="hidden" name="requesttoken" value="<?php p($_['requesttoken']); ?>">
                <input type="hidden" name="what" value="<?php p($kind); ?>">
<?php if ($form['note'] !== '') { ?>
                <p class="archipel-note"><?php p($form['note']); ?></p>
<?php } ?>
<?php if ($form['label'] !== '') { ?>
                <p>
                    <label for="archipel-value-<?php p($kind); ?>"><?php p($form['label']); ?></label>
                    <input name="value" id="archipel-value-<?php p($kind); ?>" required autocomplete="off" maxlength="253"<?php if ($form['number']) { ?> inputmode="numeric" pattern="[0-9]+"<?php } ?>>
                </p>
<?php } ?>
                <p>
                    <label for="archipel-text-<?php p($kind); ?>"><?php p($l->t('Why (if you like)')); ?></label>
                    <textarea name="text" id="archipel-text-<?php p($kind); ?>" rows="3" maxlength="2000"></textarea>
                </p>
<?php if ($form['label'] === '') { ?>
                <p>
                    <input type="checkbox" class="checkbox" name="confirm" id="archipel-mean-<?php p($kind); ?>" value="<?php p($kind); ?>" required>
                    <label for="archipel-mean-<?php p($kind); ?>"><?php p($l->t('I ask for this in the name of the association')); ?></label>
                </p>
<?php } ?>
                <button type="submit"><?php p($l->t('Ask for it')); ?></button>
            </form>
        </details>
<?php } ?>
    </section>

    <section id="archipel-export">
        <h3><?php p($l->t('A copy of everything')); ?></h3>
        <p><?php p($l->t('One archive with the files of all accounts, calendars, contacts and the database, in formats that other programs read. Whoever has it can read all of it: keep it safe.')); ?></p>
<?php if ($export['gone']) { ?>
        <p role="alert"><?php p($l->t('The archive is not there any more.')); ?></p>
<?php } ?>
<?php if ($export['way']) { ?>
        <p role="status"><?php p($l->t('The archive is being made. Load this page again later; it may take hours.')); ?></p>
<?php } elseif ($export['ready']) { ?>
        <p role="status"><?php p($l->t('Made on %1$s, %2$s. It can be fetched until %3$s.', [$l->l('date', $export['at']), Size::words($l, $export['size']), $l->l('date', $export['until'])])); ?></p>
        <form method="post" action="<?php p($export['fetch']); ?>">
            <input type="hidden" name="requesttoken" value="<?php p($_['requesttoken']); ?>">
            <button type="submit" class="primary"><?php p($l->t('Fetch the archive')); ?></button>
        </form>
<?php } else { ?>
<?php if ($export['failed']) { ?>
        <p role="alert"><?php p($l->t('The archive could not be made. Try again later, or ask whoever runs this space.')); ?></p>
<?php } ?>
        <form method="post" action="<?php p($export['start']); ?>">
            <input type="hidden" name="requesttoken" value="<?php p($_['requesttoken']); ?>">
            <button type="submit"><?php p($l->t('Make an archive')); ?></button>
        </form>
<?php } ?>
    </section>

    <section>
        <h3><?php p($l->t('Help')); ?></h3>
        <ul>
<?php if ($operator['name'] !== '') { ?>
            <li><?php p($l->t('This space is run by:')); ?> <a href="<?php p($operator['url']); ?>" rel="noreferrer noopener"><?php p($operator['name']); ?></a></li>
<?php } ?>
<?php if ($operator['help_url'] !== '') { ?>
            <li><a href="<?php p($operator['help_url']); ?>" rel="noreferrer noopener"><?php p($l->t('Help and documentation')); ?></a></li>
<?php } ?>
<?php if ($operator['email'] !== '') { ?>
            <li><a href="mailto:<?php p($operator['email']); ?>"><?php p($operator['email']); ?></a></li>
<?php } ?>
        </ul>
    </section>
</div>
