-- Calls, by WhatsApp's id.

CREATE TABLE call (
    id              INTEGER PRIMARY KEY,
    business_id     INTEGER NOT NULL,
    chat_id         INTEGER NOT NULL REFERENCES chat ON DELETE CASCADE,
    phone_number_id BLOB    NOT NULL,
    wacid           BLOB    NOT NULL,
    direction       INTEGER NOT NULL,           -- enum store_direction: INBOUND, a customer calls
    state           INTEGER NOT NULL,           -- enum store_call_state
    seen            INTEGER NOT NULL,           -- which reports of it have come, a bit each
    started_at_s    INTEGER NOT NULL DEFAULT 0, -- it began to ring
    answered_at_s   INTEGER NOT NULL DEFAULT 0,
    ended_at_s      INTEGER NOT NULL DEFAULT 0,
    duration_s      INTEGER NOT NULL DEFAULT 0,
    errors          BLOB
) STRICT;
CREATE UNIQUE INDEX call_wacid ON call (phone_number_id, wacid);
CREATE INDEX call_chat ON call (chat_id);
