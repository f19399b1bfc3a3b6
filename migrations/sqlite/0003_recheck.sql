-- When the publisher took the page back (410).
ALTER TABLE articles ADD COLUMN withdrawn_at INTEGER;

-- Articles whose pages are asked for again, and what makes the request conditional. A row without due_at has had its
-- time: its entry is in the queue.
CREATE TABLE rechecks (
    article_id    BLOB PRIMARY KEY REFERENCES articles (id),
    entry_id      INTEGER NOT NULL,
    due_at        INTEGER,
    etag          TEXT,
    last_modified TEXT
);
CREATE INDEX rechecks_due ON rechecks (due_at, article_id) WHERE due_at IS NOT NULL;
CREATE INDEX rechecks_entry ON rechecks (entry_id);
