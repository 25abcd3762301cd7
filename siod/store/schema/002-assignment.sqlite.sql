-- Who serves a chat, and why; who is here; who has read what.

-- As the daemon last announced it: after a restart only what differs from it is news.
ALTER TABLE agent ADD COLUMN online INTEGER NOT NULL DEFAULT 0;

ALTER TABLE chat ADD COLUMN version          INTEGER NOT NULL DEFAULT 1; -- counts changes of state and agent
ALTER TABLE chat ADD COLUMN waiting_since_ms INTEGER NOT NULL DEFAULT 0; -- 0 = it does not wait
ALTER TABLE chat ADD COLUMN waiting_told     INTEGER NOT NULL DEFAULT 0; -- chat_waiting was logged for this wait
ALTER TABLE chat ADD COLUMN assigned_at_ms   INTEGER NOT NULL DEFAULT 0; -- 0 = nobody has it
ALTER TABLE chat ADD COLUMN last_agent_id    INTEGER NOT NULL DEFAULT 0; -- who had it last, or has it
ALTER TABLE chat ADD COLUMN closed_at_ms     INTEGER NOT NULL DEFAULT 0; -- 0 = it is open
UPDATE chat SET waiting_since_ms = created_at_ms WHERE state = 0;

CREATE INDEX chat_waiting ON chat (waiting_since_ms, id) WHERE state = 0;
CREATE INDEX chat_assigned ON chat (business_id, agent_id) WHERE state = 1;

-- A number that moves to another business does not bring the groups of the old one.
DROP INDEX chat_group;
CREATE UNIQUE INDEX chat_group ON chat (phone_number_id, group_id, business_id) WHERE group_id IS NOT NULL;

CREATE TABLE decision (
    id         INTEGER PRIMARY KEY,
    chat_id    INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    agent_id   INTEGER NOT NULL, -- 0 = nobody
    policy     BLOB    NOT NULL, -- by which rule
    outcome    BLOB    NOT NULL,
    who        BLOB    NOT NULL, -- whose word it was; empty = siod's own
    considered BLOB    NOT NULL  -- JSON: the agents, and why not
) STRICT;
CREATE INDEX decision_chat ON decision (chat_id);

-- The newest message of a chat that an agent has read, by (WhatsApp's second, id).
CREATE TABLE read_cursor (
    chat_id        INTEGER NOT NULL REFERENCES chat,
    user_id        INTEGER NOT NULL,
    wa_timestamp_s INTEGER NOT NULL,
    message_id     INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    PRIMARY KEY (chat_id, user_id)
) STRICT, WITHOUT ROWID;
