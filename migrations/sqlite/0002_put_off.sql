-- Put off (1): next_poll_at or next_attempt_at is later than when the row was due, because the process that had it knew its
-- host to be busy or the network to be down. That knowledge ends with the process.
ALTER TABLE feeds ADD COLUMN put_off INTEGER NOT NULL DEFAULT 0;
CREATE INDEX feeds_put_off ON feeds (id) WHERE put_off = 1;

ALTER TABLE entries ADD COLUMN put_off INTEGER NOT NULL DEFAULT 0;
CREATE INDEX entries_put_off ON entries (id) WHERE put_off = 1;
