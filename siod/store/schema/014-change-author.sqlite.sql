-- contact_id is who made an edit or revoke, too. Of those that are here already it is not known.

UPDATE message_change SET contact_id = -1 WHERE kind <> 2;
