-- What a feed says of itself changes seldom and may be long: kept apart from what every poll writes.
CREATE TABLE feed_infos (
    feed_id  BIGINT PRIMARY KEY REFERENCES feeds (id),
    title    TEXT,
    info     TEXT NOT NULL,
    warnings TEXT NOT NULL
);
INSERT INTO feed_infos (feed_id, title, info, warnings)
    SELECT feed_id, title, info, warnings FROM feed_details WHERE info IS NOT NULL;
ALTER TABLE feed_details DROP COLUMN title;
ALTER TABLE feed_details DROP COLUMN info;
ALTER TABLE feed_details DROP COLUMN warnings;
