-- The article's number with each of its texts, so that the first article with a text is found without looking at all its
-- copies.
ALTER TABLE revisions ADD COLUMN number INTEGER;
UPDATE revisions SET number = (SELECT a.number FROM articles a WHERE a.id = revisions.article_id);
DROP INDEX revisions_content;
CREATE INDEX revisions_content ON revisions (content_sha256, number);
