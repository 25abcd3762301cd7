-- Sessions of clients that may come back after a restart. A row is removed before anything in it stops being true.

CREATE TABLE session (
    id          BLOB    NOT NULL PRIMARY KEY, -- of the socket
    business_id INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    state       BLOB    NOT NULL              -- its rooms, and where it began
) STRICT, WITHOUT ROWID;
