-- Whose what came in was at that time: a number may go from one business to another.

ALTER TABLE webhook ADD COLUMN owners BLOB NOT NULL DEFAULT x''; -- of the phone numbers in it, as owners.h says; empty: it is not known
ALTER TABLE status ADD COLUMN business_id INTEGER NOT NULL DEFAULT 0; -- 0 = it is not known
