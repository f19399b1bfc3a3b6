-- Breaking: a program that knows no shards would claim what is another process's, and ask its hosts at the same time.

-- shard: which part of all hosts the next request goes to; -1 where nobody has worked it out. holder: the process that has the
-- row's lease, which ends with it; 0 where no process is known by a number.
ALTER TABLE feeds ADD COLUMN shard BIGINT NOT NULL DEFAULT -1;
ALTER TABLE feeds ADD COLUMN holder BIGINT NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN shard BIGINT NOT NULL DEFAULT -1;
ALTER TABLE entries ADD COLUMN holder BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN holder BIGINT NOT NULL DEFAULT 0;

-- owner: the process that asks the hosts of the shard; 0 where none does, since free_since by the clock of the database.
CREATE TABLE shards (
    id         BIGINT PRIMARY KEY,
    owner      BIGINT NOT NULL DEFAULT 0,
    free_since BIGINT NOT NULL DEFAULT 0
);
INSERT INTO shards (id) SELECT generate_series(0, 1023);
CREATE INDEX shards_owner ON shards (owner);

-- Registrable domains that the owner of their shard is asked to lend to another process (granted 0), or has lent (1).
CREATE TABLE host_loans (
    party    TEXT PRIMARY KEY,
    shard    BIGINT NOT NULL,
    borrower BIGINT NOT NULL,
    granted  BIGINT NOT NULL DEFAULT 0 CHECK (granted IN (0, 1))
);
