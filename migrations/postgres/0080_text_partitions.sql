-- Breaking: a program that does not know it stores no article once the partitions that it finds are full.
--
-- Texts and their words lie in partitions by the number of their article, so that those of old articles can be dropped as
-- wholes (src/store/partitions.rs). Numbers rise with time, and unlike a month articles have them already. What is there becomes
-- the first partition, where it lies; an empty one follows. Texts are looked up by number alone: by their article's id, every
-- partition would be looked into.

ALTER TABLE revisions RENAME TO earlier_revisions;
ALTER INDEX revisions_content RENAME TO earlier_revisions_content;
ALTER TABLE earlier_revisions
    DROP CONSTRAINT revisions_pkey,
    DROP CONSTRAINT revisions_article_id_fkey,
    ALTER COLUMN number SET NOT NULL;
CREATE TABLE revisions (LIKE earlier_revisions INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION)
    PARTITION BY RANGE (number);
ALTER TABLE revisions
    ADD PRIMARY KEY (article_id, revision, number),
    ADD FOREIGN KEY (article_id) REFERENCES articles (id);
CREATE INDEX revisions_content ON revisions (content_sha256, number);
CREATE UNIQUE INDEX revisions_number ON revisions (number, revision);

ALTER TABLE article_words RENAME TO earlier_words;
ALTER INDEX article_words_words RENAME TO earlier_words_words;
ALTER TABLE earlier_words RENAME CONSTRAINT article_words_pkey TO earlier_words_pkey;
CREATE TABLE article_words (LIKE earlier_words INCLUDING STORAGE INCLUDING COMPRESSION) PARTITION BY RANGE (rowid);
ALTER TABLE article_words ADD PRIMARY KEY (rowid);
CREATE INDEX article_words_words ON article_words USING gin (words);

DO $$
DECLARE
    past BIGINT;
BEGIN
    SELECT value + 1 INTO past FROM counters WHERE name = 'outbox';
    IF past = 1 THEN
        DROP TABLE earlier_revisions, earlier_words;
    ELSE
        EXECUTE format('ALTER TABLE earlier_revisions RENAME TO revisions_1_%s', past);
        EXECUTE format('ALTER TABLE revisions ATTACH PARTITION revisions_1_%1$s FOR VALUES FROM (1) TO (%1$s)', past);
        EXECUTE format('ALTER TABLE earlier_words RENAME TO article_words_1_%s', past);
        EXECUTE format('ALTER TABLE article_words ATTACH PARTITION article_words_1_%1$s FOR VALUES FROM (1) TO (%1$s)', past);
    END IF;
    EXECUTE format('CREATE TABLE revisions_%1$s_%2$s PARTITION OF revisions FOR VALUES FROM (%1$s) TO (%2$s)',
        past, past + 500000);
    EXECUTE format('CREATE TABLE article_words_%1$s_%2$s PARTITION OF article_words FOR VALUES FROM (%1$s) TO (%2$s)',
        past, past + 500000);
END
$$;
