-- How often an entry was asked for again because its feed said something else. What exceeds the revisions of its article
-- were changes that changed nothing.
ALTER TABLE entries ADD COLUMN requeues INTEGER NOT NULL DEFAULT 0;
