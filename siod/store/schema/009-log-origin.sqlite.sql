-- Who did not hear an event because it was their own doing, so that it is not sent to them later either.

ALTER TABLE log ADD COLUMN origin BLOB; -- id of the socket; NULL = nobody
