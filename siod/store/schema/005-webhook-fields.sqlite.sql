-- Which fields of the platform a webhook held, as a JSON array. Those with nothing but "messages" are
-- nearly all there are and have no place in the index.

ALTER TABLE webhook ADD COLUMN fields BLOB NOT NULL DEFAULT x'5b5d';
CREATE INDEX webhook_other ON webhook (id) WHERE fields <> x'5b226d65737361676573225d';
