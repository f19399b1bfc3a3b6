-- feed_id: the feed that announced the article first; its settings say how long it is kept. removed_at: when all but this
-- row was removed, which remembers the article's id and holds the links of its copies.
ALTER TABLE articles ADD COLUMN feed_id BIGINT;
ALTER TABLE articles ADD COLUMN removed_at BIGINT;
UPDATE articles SET feed_id = (SELECT e.feed_id FROM mentions m JOIN entries e ON e.id = m.entry_id
    WHERE m.article_id = articles.id ORDER BY m.first_seen_at, m.entry_id LIMIT 1);
CREATE INDEX articles_kept ON articles (feed_id, stored_at) WHERE removed_at IS NULL;

-- 1: the entry's article was removed. What is left of the entry tells that it is not new.
ALTER TABLE entries ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;

-- The highest position of an event that was removed: whoever has not read so far has missed it.
INSERT INTO counters (name, value) VALUES ('outbox_removed', 0);
CREATE INDEX outbox_article ON outbox (article_id, created_at);
