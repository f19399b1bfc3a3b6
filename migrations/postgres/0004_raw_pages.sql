-- Pages as they came, compressed with zstd, for a later extractor. A page is known by its article and its hash, so that
-- revisions made from the same bytes share it. feed_id: the feed whose settings say how long it is kept.
CREATE TABLE raw_pages (
    article_id   BYTEA NOT NULL REFERENCES articles (id),
    feed_id      BIGINT,
    raw_sha256   BYTEA NOT NULL,
    final_url    TEXT NOT NULL,
    content_type TEXT,
    fetched_at   BIGINT NOT NULL,
    body_bytes   BIGINT NOT NULL,
    body         BYTEA NOT NULL,
    PRIMARY KEY (article_id, raw_sha256)
);
CREATE INDEX raw_pages_fetched ON raw_pages (feed_id, fetched_at);
-- The bodies are compressed already.
ALTER TABLE raw_pages ALTER COLUMN body SET STORAGE EXTERNAL;
