-- What siod keeps. Bytes that strangers chose (bodies, texts, names, ids of the platform) are BLOB:
-- they may hold any byte. Times are milliseconds since 1970 (…_ms) or WhatsApp's seconds (…_s).

-- 'epoch' names this history; 'probe' is written to find out whether the disk takes writes again;
-- 'unsynced' is the boot id of the machine while commits are not synced one by one.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', lower(hex(randomblob(8)))), ('probe', 0);

-- The last id given to a chat and to a message. An id is never used again, whatever was deleted, and
-- a duplicate uses none up; AUTOINCREMENT does not promise the second and writes a row per insert.
CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sequence VALUES ('chat', 0), ('message', 0);

CREATE TABLE business (
    id            INTEGER PRIMARY KEY,
    name          BLOB    NOT NULL,
    source        INTEGER NOT NULL,           -- enum store_source
    takes_any     INTEGER NOT NULL DEFAULT 0,
    position      INTEGER NOT NULL DEFAULT 0, -- of the last row in its log
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE phone_number (
    phone_number_id BLOB PRIMARY KEY,
    business_id     INTEGER NOT NULL REFERENCES business
) STRICT, WITHOUT ROWID;
CREATE INDEX phone_number_business ON phone_number (business_id);

CREATE TABLE agent (
    business_id   INTEGER NOT NULL REFERENCES business,
    user_id       INTEGER NOT NULL,
    name          BLOB    NOT NULL,
    role          BLOB    NOT NULL,
    status        TEXT    NOT NULL DEFAULT 'available', -- what the agent intends, never what the network does
    capacity      INTEGER NOT NULL DEFAULT 50,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (business_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact (
    id            INTEGER PRIMARY KEY,
    business_id   INTEGER NOT NULL REFERENCES business,
    name          BLOB    NOT NULL,
    phone         BLOB,
    wa_id         BLOB,
    user_id       BLOB,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE contact_alias (
    business_id INTEGER NOT NULL,
    kind        INTEGER NOT NULL, -- enum store_alias
    value       BLOB    NOT NULL,
    contact_id  INTEGER NOT NULL REFERENCES contact,
    PRIMARY KEY (business_id, kind, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat (
    id                   INTEGER PRIMARY KEY,
    business_id          INTEGER NOT NULL REFERENCES business,
    phone_number_id      BLOB    NOT NULL,
    contact_id           INTEGER REFERENCES contact,
    group_id             BLOB,
    state                INTEGER NOT NULL DEFAULT 0, -- enum store_chat_state
    agent_id             INTEGER NOT NULL DEFAULT 0,
    last_message_id      INTEGER NOT NULL DEFAULT 0,
    last_message_at_ms   INTEGER NOT NULL DEFAULT 0,
    window_expires_at_ms INTEGER NOT NULL DEFAULT 0,
    created_at_ms        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX chat_contact ON chat (phone_number_id, contact_id) WHERE group_id IS NULL;
CREATE UNIQUE INDEX chat_group ON chat (phone_number_id, group_id) WHERE group_id IS NOT NULL;
CREATE INDEX chat_business ON chat (business_id);

CREATE TABLE message (
    id              INTEGER PRIMARY KEY,
    chat_id         INTEGER NOT NULL REFERENCES chat,
    business_id     INTEGER NOT NULL,
    contact_id      INTEGER,
    direction       INTEGER NOT NULL, -- enum store_direction
    status          INTEGER NOT NULL, -- enum store_status
    sender_user_id  INTEGER NOT NULL,
    wa_timestamp_s  INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    phone_number_id BLOB    NOT NULL,
    wamid           BLOB,             -- NULL until the platform has given one
    type            BLOB    NOT NULL,
    context_wamid   BLOB,
    error           BLOB,
    text            BLOB,
    raw             BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_wamid ON message (phone_number_id, wamid);
CREATE INDEX message_chat ON message (chat_id, wa_timestamp_s);

-- Every distinct status that came in, whether its message is known or not.
CREATE TABLE status (
    phone_number_id BLOB    NOT NULL,
    wamid           BLOB    NOT NULL,
    status          BLOB    NOT NULL,
    participant     BLOB    NOT NULL,
    wa_timestamp_s  INTEGER NOT NULL,
    seen_at_us      INTEGER NOT NULL, -- strictly increasing: the order of arrival
    error           BLOB,
    PRIMARY KEY (phone_number_id, wamid, status, participant)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook (
    id             INTEGER PRIMARY KEY,
    received_at_ms INTEGER NOT NULL,
    state          INTEGER NOT NULL, -- enum store_webhook_state
    app            BLOB    NOT NULL,
    counts         BLOB    NOT NULL,
    reason         BLOB    NOT NULL,
    body           BLOB    NOT NULL
) STRICT;
CREATE INDEX webhook_quarantined ON webhook (id) WHERE state <> 0;

-- The durable events. A row is often larger than the 1002 bytes that WITHOUT ROWID keeps out of
-- overflow pages, so the key is an index of its own; both grow at their end.
CREATE TABLE log (
    id          INTEGER PRIMARY KEY,
    business_id INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    room        BLOB    NOT NULL,
    event       BLOB    NOT NULL,
    args        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_position ON log (business_id, position);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    who     BLOB    NOT NULL,
    command BLOB    NOT NULL,
    args    BLOB    NOT NULL
) STRICT;
