-- The names of a contact, found by the contact.
CREATE INDEX contact_alias_contact ON contact_alias (contact_id);
