-- When a feed was first read. Entries first seen at that time are its backlog, published before the feed was watched: their ages say
-- nothing about the delay. 0 for feeds that were read before this column existed.
ALTER TABLE feed_details ADD COLUMN first_read_at BIGINT;
UPDATE feed_details SET first_read_at = 0 WHERE last_success_at IS NOT NULL;
