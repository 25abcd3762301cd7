-- What keeps the store small, and what is asked about one contact.

-- Retention has emptied a business's log up to here.
ALTER TABLE business ADD COLUMN log_purged INTEGER NOT NULL DEFAULT 0;

CREATE INDEX chat_by_contact ON chat (contact_id);

-- Messages that are gone, purged or erased: Meta may still deliver them once more.
CREATE TABLE gone (
    hash     BLOB    PRIMARY KEY, -- of phone number id and wamid: a wamid holds the customer's number
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_until ON gone (until_ms);

-- How large the store was.
CREATE TABLE growth (
    at_ms INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL -- without the pages that are free
) STRICT;
