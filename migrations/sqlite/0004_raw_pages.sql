-- Pages as they came, compressed with zstd, for a later extractor. A page is known by its article and its hash, so that
-- revisions made from the same bytes share it. feed_id: the feed whose settings say how long it is kept.
CREATE TABLE raw_pages (
    article_id   BLOB NOT NULL REFERENCES articles (id),
    feed_id      INTEGER,
    raw_sha256   BLOB NOT NULL,
    final_url    TEXT NOT NULL,
    content_type TEXT,
    fetched_at   INTEGER NOT NULL,
    body_bytes   INTEGER NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (article_id, raw_sha256)
);
CREATE INDEX raw_pages_fetched ON raw_pages (feed_id, fetched_at);
