-- Customers who turn out to be one, and what agents have to read.

ALTER TABLE contact ADD COLUMN username BLOB;

-- Who has written in a group.
CREATE TABLE chat_participant (
    contact_id INTEGER NOT NULL REFERENCES contact ON DELETE CASCADE,
    chat_id    INTEGER NOT NULL REFERENCES chat ON DELETE CASCADE,
    PRIMARY KEY (contact_id, chat_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_participant_chat ON chat_participant (chat_id);
INSERT INTO chat_participant SELECT DISTINCT message.contact_id, chat.id FROM chat
    JOIN message ON message.chat_id = chat.id
    WHERE chat.group_id IS NOT NULL AND message.contact_id IS NOT NULL;

-- Unread messages are counted in the index alone.
ALTER TABLE message ADD COLUMN kind INTEGER NOT NULL DEFAULT 0; -- enum store_message_kind
DROP INDEX message_chat;
CREATE INDEX message_chat ON message (chat_id, wa_timestamp_s, id, direction, kind);

CREATE INDEX message_change_contact ON message_change (contact_id) WHERE contact_id <> 0;
