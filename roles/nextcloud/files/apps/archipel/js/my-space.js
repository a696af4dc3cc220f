// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

// While a change of the office suite is on its way, look again now and then.
document.addEventListener('DOMContentLoaded', () => {
    if (document.querySelector('[data-archipel-pending]')) {
        setTimeout(() => window.location.reload(), 10000)
    }
})
