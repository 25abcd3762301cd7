-- Whose what came in was at that time: a number may go from one business to another.

ALTER TABLE webhook ADD COLUMN owners BLOB NOT NULL DEFAULT x''; -- of the phone numbers in it, as owners.h says; empty: it is not known
ALTER TABLE status ADD COLUMN business_id INTEGER NOT NULL DEFAULT 0; -- 0 = it is not known

-- Of a message that is not known a status says whose it is in its errors, if anywhere.
CREATE INDEX status_error ON status (seen_at_us) WHERE error IS NOT NULL;

-- Contacts that are being erased, and the last rows that there were when it began: what came later is somebody else's,
-- though it has the same names.
CREATE TABLE erasure (
    contact_id INTEGER PRIMARY KEY REFERENCES contact ON DELETE CASCADE,
    webhook_id INTEGER NOT NULL,
    status_us  INTEGER NOT NULL, -- its seen_at_us
    position   INTEGER NOT NULL -- in the log of its business
) STRICT;

-- What was in contact_alias: by these it is found where it is mentioned, and its messages are not.
CREATE TABLE erasure_alias (
    contact_id INTEGER NOT NULL REFERENCES contact ON DELETE CASCADE,
    kind       INTEGER NOT NULL, -- enum store_alias
    value      BLOB    NOT NULL,
    PRIMARY KEY (contact_id, kind, value)
) STRICT, WITHOUT ROWID;
