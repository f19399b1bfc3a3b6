-- The index of words holds shelves and cases of numbers, as PostgreSQL's does (0085): FTS5 reads from the newest article on until all that is
-- asked for meets, wherever a search is to go on, and so it is asked for the shelves as well. Articles are added anew, the youngest first.
DROP TABLE article_words_vocabulary;
DROP TABLE article_words;
CREATE VIRTUAL TABLE article_words USING fts5 (
    words, places, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0'
);
CREATE VIRTUAL TABLE article_words_vocabulary USING fts5vocab (article_words, instance);
UPDATE counters SET value = (SELECT value FROM counters WHERE name = 'outbox') WHERE name = 'search_backlog' AND value <> -1;
