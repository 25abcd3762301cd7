-- Tokens that are no longer good. A token has one row at most, and so has a user.

CREATE TABLE revocation (
    id               INTEGER PRIMARY KEY,
    jti              BLOB,             -- NULL: the user's tokens
    business_id      INTEGER NOT NULL, -- 0 where only the jti is known, as user_id
    user_id          INTEGER NOT NULL,
    issued_before_ms INTEGER NOT NULL,
    expires_s        INTEGER NOT NULL, -- 9223372036854775807 = nobody knows
    at_ms            INTEGER NOT NULL,
    who              BLOB    NOT NULL,
    reason           BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX revocation_jti ON revocation (jti) WHERE jti IS NOT NULL;
CREATE UNIQUE INDEX revocation_user ON revocation (business_id, user_id) WHERE jti IS NULL;
CREATE INDEX revocation_expires ON revocation (expires_s);
