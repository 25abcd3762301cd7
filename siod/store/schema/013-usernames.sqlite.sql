-- A contact's usernames are kept among its names, those that it had before too: by them it is found where it is
-- mentioned.

INSERT INTO contact_alias SELECT business_id, 3, username, id FROM contact WHERE username IS NOT NULL ORDER BY id
    ON CONFLICT DO UPDATE SET contact_id = excluded.contact_id;
