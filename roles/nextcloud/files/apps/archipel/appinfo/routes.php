<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

return [
    'routes' => [
        ['name' => 'office#choose', 'url' => '/office', 'verb' => 'POST'],
        ['name' => 'export#start', 'url' => '/export', 'verb' => 'POST'],
        ['name' => 'export#fetch', 'url' => '/export/fetch', 'verb' => 'POST'],
        ['name' => 'change#ask', 'url' => '/change', 'verb' => 'POST'],
        ['name' => 'administrators#remove', 'url' => '/administrators', 'verb' => 'POST'],
    ],
    'ocs' => [
        ['name' => 'office_api#show', 'url' => '/api/v1/office', 'verb' => 'GET'],
        ['name' => 'office_api#choose', 'url' => '/api/v1/office', 'verb' => 'PUT'],
        ['name' => 'administrators_api#show', 'url' => '/api/v1/administrators', 'verb' => 'GET'],
        ['name' => 'administrators_api#remove', 'url' => '/api/v1/administrators/{uid}', 'verb' => 'DELETE'],
    ],
];
