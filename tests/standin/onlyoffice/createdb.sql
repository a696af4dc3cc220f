-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Copyright: The Archipel contributors
-- The tables that the Document Server keeps open documents in, as far as the stand-in asks.
CREATE TABLE IF NOT EXISTS doc_changes (
    tenant varchar(255), id varchar(255), change_id int4, change_data text, PRIMARY KEY (tenant, id, change_id)
);
CREATE TABLE IF NOT EXISTS task_result (
    tenant varchar(255), id varchar(255), status int2, PRIMARY KEY (tenant, id)
);
