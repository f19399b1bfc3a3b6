-- SQLite has it since 0061.
SELECT 1;
