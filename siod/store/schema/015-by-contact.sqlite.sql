-- What a contact is in beside its own chats, found without a walk through all of it.

CREATE INDEX reaction_contact ON reaction (contact_id) WHERE contact_id <> 0;
CREATE INDEX participant_name ON participant (name);
CREATE INDEX status_participant ON status (participant) WHERE participant <> x'';
