-- When a change came in, so that one whose message never comes is removed some day. Of those that are here
-- already it is not known, and they wait from now on.
ALTER TABLE message_change ADD COLUMN seen_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE message_change SET seen_at_ms = unixepoch() * 1000;
