-- What becomes of a message after it was sent: edits, revokes and reactions, and how far one to a
-- group got with each of those in it.

-- content, mark: members of its JSON beyond the text. annexes: 1 it has reactions, 2 participants, 4 a mark.
-- original: raw as it was before any edit; an edit begins with it, so that only the last one counts.
ALTER TABLE message ADD COLUMN content      BLOB;
ALTER TABLE message ADD COLUMN mark         BLOB;
ALTER TABLE message ADD COLUMN original     BLOB;
ALTER TABLE message ADD COLUMN annexes      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN revoked_at_s INTEGER NOT NULL DEFAULT 0;

-- Every change that came in, whether the message it is about is known or not: by its own wamid it is
-- told from its repetition, by its target it is found when that message comes.
CREATE TABLE message_change (
    phone_number_id BLOB    NOT NULL,
    wamid           BLOB    NOT NULL,
    target          BLOB    NOT NULL, -- the wamid of what it changes
    kind            INTEGER NOT NULL, -- enum store_change_kind
    contact_id      INTEGER NOT NULL, -- who reacted, 0 = the business
    wa_timestamp_s  INTEGER NOT NULL,
    body            BLOB    NOT NULL, -- an edit's message as JSON, a reaction's emoji
    PRIMARY KEY (phone_number_id, wamid)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_change_target ON message_change (phone_number_id, target, kind, wa_timestamp_s, wamid);

-- The last reaction of each party. One that was removed stays, so that an older one cannot come back.
CREATE TABLE reaction (
    message_id     INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    contact_id     INTEGER NOT NULL, -- 0 = the business
    wa_timestamp_s INTEGER NOT NULL,
    wamid          BLOB    NOT NULL,
    shown          BLOB,             -- as JSON; NULL: removed
    PRIMARY KEY (message_id, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE participant (
    message_id INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    name       BLOB    NOT NULL, -- WhatsApp's id
    status     INTEGER NOT NULL, -- enum store_status
    shown      BLOB    NOT NULL, -- as JSON
    PRIMARY KEY (message_id, name)
) STRICT, WITHOUT ROWID;
