-- The words of every article's current title and text, by the article's number. The words themselves are not kept: they are
-- in revisions.
CREATE VIRTUAL TABLE article_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0'
);

-- Articles up to this number are older than the index and still to be added, the youngest first.
INSERT INTO counters (name, value) SELECT 'search_backlog', value FROM counters WHERE name = 'outbox';
