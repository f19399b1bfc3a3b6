-- Whether the entry's words have changed since its page was last read. Rows without due_at stay beside entries that are done:
-- what the page sent makes the next request conditional.
ALTER TABLE rechecks ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
