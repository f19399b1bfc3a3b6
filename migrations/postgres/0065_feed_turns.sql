-- Whose turn it is to be polled: feeds are claimed in turn by their party (a number made of its registrable domain). Those of
-- feeds that are known are written down at the next start, and until then all of them are one.
ALTER TABLE feeds ADD COLUMN party BIGINT NOT NULL DEFAULT 0;
