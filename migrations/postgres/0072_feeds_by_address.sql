-- The page lists feeds by their addresses, which may be longer than an index takes. An address never changes, so that this costs
-- polls nothing.
CREATE INDEX feed_details_address ON feed_details ((left(configured_url, 500)) COLLATE "C", feed_id);
