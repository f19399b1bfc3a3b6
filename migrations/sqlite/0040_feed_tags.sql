-- The operator's tags on a feed, as JSON; nothing where there are none. They stay when the feed is configured no more: its
-- articles are still there.
ALTER TABLE feed_details ADD COLUMN tags TEXT;
