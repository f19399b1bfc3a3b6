-- A search goes back in time by ranges of numbers (src/store/found.rs). Each 4,096 numbers are a shelf, and each 131,072 a case of 32
-- shelves, counted down from -1. An index that holds both beside the words skips all that stands elsewhere in their lists. Every search looks
-- through what was added and is not sorted into the index yet: 4 MB of it take ten milliseconds, more than the rest.
DROP INDEX article_words_words;
CREATE INDEX article_words_shelves ON article_words USING gin ((ARRAY[rowid >> 12, -1 - (rowid >> 17)]), words)
    WITH (gin_pending_list_limit = 256);

-- Feeds that were never polled are counted for the overview. An index on when a feed was polled would make every poll write all the
-- others of its row (0061); this column stays as it is from the second poll on, and is made from another, so that copies leave it out.
ALTER TABLE feed_details ADD COLUMN never_polled BOOLEAN NOT NULL GENERATED ALWAYS AS (last_polled_at IS NULL) STORED;
CREATE INDEX feed_details_new ON feed_details (feed_id) WHERE never_polled;
