-- Whose turn it is: entries are claimed in turn by the party of their feeds (a number made of its registrable domain). Those
-- that wait now have the number of their feed, and nobody else's.
ALTER TABLE entries ADD COLUMN party INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET party = feed_id WHERE state = 'pending';
CREATE INDEX entries_in_turn ON entries (party, next_attempt_at, id) WHERE state = 'pending';
