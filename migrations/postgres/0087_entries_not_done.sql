-- A feed's page lists its entries that failed. Of all that a feed ever announced those that are not done are few.
CREATE INDEX entries_not_done ON entries (feed_id, id) WHERE state <> 'done';
