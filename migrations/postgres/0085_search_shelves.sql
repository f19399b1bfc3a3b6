-- A search goes back in time by ranges of numbers (src/store/found.rs). Each 4,096 numbers are a shelf, and an index that holds the
-- shelf beside the words skips all that stands elsewhere in their lists. Every search looks through what was added and is not sorted
-- into the index yet: 4 MB of it take ten milliseconds, more than the rest.
DROP INDEX article_words_words;
CREATE INDEX article_words_shelves ON article_words USING gin ((ARRAY[rowid >> 12]), words) WITH (gin_pending_list_limit = 256);
