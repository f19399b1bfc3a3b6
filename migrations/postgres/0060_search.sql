-- The words of every article's current title and text, by the article's number (which SQLite calls rowid here).
CREATE TABLE article_words (
    rowid BIGINT PRIMARY KEY,
    words TSVECTOR NOT NULL
);
CREATE INDEX article_words_words ON article_words USING gin (words);

-- Articles up to this number are older than the index and still to be added, the youngest first.
INSERT INTO counters (name, value) SELECT 'search_backlog', value FROM counters WHERE name = 'outbox';
