-- What the business writes to a group is to nobody in particular: no contact could be joined that had only been written to there.

UPDATE message SET contact_id = NULL WHERE direction = 1 AND contact_id IS NOT NULL
    AND chat_id IN (SELECT id FROM chat WHERE group_id IS NOT NULL);
UPDATE chat SET contact_id = NULL WHERE group_id IS NOT NULL AND contact_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM chat_participant AS member
                    WHERE member.contact_id = chat.contact_id AND member.chat_id = chat.id);

-- The id of a contact that is gone is not given again.
INSERT INTO sequence (name, last) SELECT 'contact', coalesce(max(id), 0) FROM contact;
