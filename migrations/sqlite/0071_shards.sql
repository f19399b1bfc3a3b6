-- shard: which part of all hosts the next request goes to; -1 where nobody has worked it out. holder: the process that has the
-- row's lease; 0 here, where one process has the file to itself. A backup of a server's store brings both along.
ALTER TABLE feeds ADD COLUMN shard INTEGER NOT NULL DEFAULT -1;
ALTER TABLE feeds ADD COLUMN holder INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN shard INTEGER NOT NULL DEFAULT -1;
ALTER TABLE entries ADD COLUMN holder INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN holder INTEGER NOT NULL DEFAULT 0;
