<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** Something the administrator can mend; people see the message, not a trace. */
final class HintException extends \Exception
{
}
