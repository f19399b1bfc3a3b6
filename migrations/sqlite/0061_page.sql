-- What the operator's page shows.

-- The last polls of a feed, the newest first, a line of JSON each. One row a feed, cut at a length: a row a poll would be
-- millions that somebody must remove.
CREATE TABLE feed_polls (
    feed_id INTEGER PRIMARY KEY REFERENCES feeds (id),
    recent  TEXT NOT NULL
);

-- The beginning of a block's text, from its second sighting on; nothing where the block is no text but a place.
-- forgotten (1): the operator wants it to be no furniture.
ALTER TABLE host_blocks ADD COLUMN excerpt TEXT;
ALTER TABLE host_blocks ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;

CREATE INDEX entries_failed ON entries (id) WHERE state = 'failed';
CREATE INDEX entries_quarantined ON entries (id) WHERE state = 'quarantined';
CREATE INDEX feeds_at_rest ON feeds (state, id) WHERE state <> 'active';
CREATE INDEX feed_details_failing ON feed_details (feed_id) WHERE error_label IS NOT NULL;

-- SQLite looks rows up one by one: where an index holds all that is asked, a hundred thousand feeds are looked through in a
-- tenth of the time.
CREATE INDEX feed_details_new ON feed_details (feed_id) WHERE last_polled_at IS NULL;
CREATE INDEX feed_details_address ON feed_details (configured_url);
CREATE INDEX feed_infos_title ON feed_infos (title);
