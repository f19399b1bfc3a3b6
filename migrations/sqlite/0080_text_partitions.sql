-- PostgreSQL keeps texts in partitions by number from here on; SQLite has none, and looks them up by the same key.
CREATE UNIQUE INDEX revisions_number ON revisions (number, revision);
