-- Times are milliseconds since 1970-01-01 UTC. A lease_until of 0 means "not lent out"; whoever finds an ended one
-- knows that a worker never came back, and marks the row as suspect (1) until it is finished.

-- Positions that must rise in commit order. Whoever allocates one holds the row until its commit, so that a reader
-- who has seen position n can never meet a smaller one later.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO counters (name, value) VALUES ('outbox', 0);

-- What claiming a feed needs, and no more: these rows change with every poll.
CREATE TABLE feeds (
    id                    INTEGER PRIMARY KEY,
    configured_url_sha256 BLOB NOT NULL UNIQUE,
    state                 TEXT NOT NULL CHECK (state IN ('active', 'gone', 'quarantined', 'removed')),
    next_poll_at          INTEGER NOT NULL,
    suspect               INTEGER NOT NULL DEFAULT 0,
    lease_until           INTEGER NOT NULL DEFAULT 0,
    lease_epoch           INTEGER NOT NULL DEFAULT 0,
    unfinished_attempts   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX feeds_due ON feeds (next_poll_at, id) WHERE state = 'active';
CREATE INDEX feeds_leased ON feeds (lease_until) WHERE lease_until > 0;
CREATE INDEX feeds_crashing ON feeds (id) WHERE unfinished_attempts > 0;

CREATE TABLE feed_details (
    feed_id         INTEGER PRIMARY KEY REFERENCES feeds (id),
    configured_url  TEXT NOT NULL,
    url             TEXT NOT NULL,
    etag            TEXT,
    last_modified   TEXT,
    body_sha256     BLOB,
    history         TEXT NOT NULL,
    decided_by      TEXT,
    title           TEXT,
    info            TEXT,
    warnings        TEXT,
    last_polled_at  INTEGER,
    last_success_at INTEGER,
    error_label     TEXT,
    error_reason    TEXT
);

-- What claiming an entry needs. An entry is known by its feed and the hash of its key.
CREATE TABLE entries (
    id                  INTEGER PRIMARY KEY,
    feed_id             INTEGER NOT NULL REFERENCES feeds (id),
    key_sha256          BLOB NOT NULL,
    article_id          BLOB NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed', 'quarantined')),
    next_attempt_at     INTEGER NOT NULL,
    suspect             INTEGER NOT NULL DEFAULT 0,
    lease_until         INTEGER NOT NULL DEFAULT 0,
    lease_epoch         INTEGER NOT NULL DEFAULT 0,
    failures            INTEGER NOT NULL DEFAULT 0,
    unfinished_attempts INTEGER NOT NULL DEFAULT 0,
    UNIQUE (feed_id, key_sha256)
);
CREATE INDEX entries_due ON entries (next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX entries_pending_article ON entries (article_id, id) WHERE state = 'pending';
CREATE INDEX entries_leased ON entries (lease_until) WHERE lease_until > 0;
CREATE INDEX entries_crashing ON entries (id) WHERE unfinished_attempts > 0;

CREATE TABLE entry_details (
    entry_id        INTEGER PRIMARY KEY REFERENCES entries (id),
    url             TEXT,
    guid            TEXT,
    evidence        TEXT NOT NULL,
    content_sha256  BLOB NOT NULL,
    evidence_sha256 BLOB NOT NULL,
    first_seen_at   INTEGER NOT NULL
);

CREATE TABLE entry_errors (
    entry_id  INTEGER PRIMARY KEY REFERENCES entries (id),
    label     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    failed_at INTEGER NOT NULL
);

-- number is the outbox position of the article's first event: the order in which articles came.
CREATE TABLE articles (
    id              BLOB PRIMARY KEY,
    number          INTEGER NOT NULL UNIQUE,
    revision        INTEGER NOT NULL,
    content_sha256  BLOB NOT NULL,
    url             TEXT NOT NULL,
    original_url    TEXT NOT NULL,
    hostname        TEXT NOT NULL,
    duplicate_of    BLOB REFERENCES articles (id),
    duplicate_kind  TEXT CHECK (duplicate_kind IN ('exact', 'near')),
    duplicate_score REAL,
    cluster_id      BLOB NOT NULL,
    stored_at       INTEGER NOT NULL
);
CREATE INDEX articles_cluster ON articles (cluster_id);
CREATE INDEX articles_stored ON articles (stored_at, number);

CREATE TABLE revisions (
    article_id        BLOB NOT NULL REFERENCES articles (id),
    revision          INTEGER NOT NULL,
    content_sha256    BLOB NOT NULL,
    raw_sha256        BLOB NOT NULL,
    canonical_url     TEXT,
    title             TEXT,
    text              TEXT NOT NULL,
    description       TEXT,
    authors           TEXT NOT NULL,
    published_at      INTEGER,
    modified_at       INTEGER,
    fetched_at        INTEGER NOT NULL,
    language          TEXT,
    site_name         TEXT,
    section           TEXT,
    tags              TEXT NOT NULL,
    image             TEXT,
    license           TEXT,
    word_count        INTEGER NOT NULL,
    quality_flags     TEXT NOT NULL,
    score             REAL NOT NULL,
    extractor_version TEXT NOT NULL,
    PRIMARY KEY (article_id, revision)
);
CREATE INDEX revisions_content ON revisions (content_sha256);

CREATE TABLE article_accounts (
    article_id     BLOB PRIMARY KEY REFERENCES articles (id),
    blocks_kept    INTEGER NOT NULL,
    blocks_dropped INTEGER NOT NULL,
    dropped        TEXT NOT NULL
);

CREATE TABLE mentions (
    article_id         BLOB NOT NULL REFERENCES articles (id),
    entry_id           INTEGER NOT NULL,
    feed_url           TEXT NOT NULL,
    guid               TEXT,
    entry_title        TEXT,
    entry_published_at INTEGER,
    first_seen_at      INTEGER NOT NULL,
    PRIMARY KEY (article_id, entry_id)
);

-- Bands of the signatures of articles within the window of comparison.
CREATE TABLE article_bands (
    band   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (band, number)
) WITHOUT ROWID;
CREATE INDEX article_bands_number ON article_bands (number);

-- Furniture: on how many articles of its host a block was seen.
CREATE TABLE hosts (
    host     TEXT PRIMARY KEY,
    articles INTEGER NOT NULL
);

CREATE TABLE host_blocks (
    host      TEXT NOT NULL,
    block     INTEGER NOT NULL,
    articles  INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (host, block)
) WITHOUT ROWID;

CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY,
    event      TEXT NOT NULL CHECK (event IN ('created', 'revised', 'linked', 'withdrawn')),
    article_id BLOB NOT NULL REFERENCES articles (id),
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE cursors (
    consumer TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL,
    moved_at INTEGER NOT NULL
);
