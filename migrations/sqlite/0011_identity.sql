-- 1: the entry's link is no page of its own: other entries of the feed have it too, or it is the site's.
ALTER TABLE entry_details ADD COLUMN shares_link INTEGER NOT NULL DEFAULT 0;

-- The files that came with an article, as a list in JSON; nothing where there are none.
ALTER TABLE revisions ADD COLUMN enclosures TEXT;

-- Whether a feed speaks for the pages of a party (a registrable domain) other than its own: 1 where one of that party's
-- pages has named the feed, 0 where its front page was asked and did not.
CREATE TABLE voices (
    feed_id  INTEGER NOT NULL REFERENCES feeds (id),
    party    TEXT NOT NULL,
    speaks   INTEGER NOT NULL CHECK (speaks IN (0, 1)),
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (feed_id, party)
);

-- Texts that a host showed under many entries without a word of what they announce: walls that no sign tells.
CREATE TABLE repeated_texts (
    host           TEXT NOT NULL,
    content_sha256 BLOB NOT NULL,
    noted_at       INTEGER NOT NULL,
    PRIMARY KEY (host, content_sha256)
);
