-- SQLite's index of words gets what this one has since 0085.
SELECT 1;
