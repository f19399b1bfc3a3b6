-- How far each sink has come. lease_until, lease_epoch: one process at a time runs a sink, and whoever writes back with an
-- older epoch is refused. retry_at: not before this after a failure. disabled: the receiver has asked for no more.
CREATE TABLE sinks (
    name        TEXT PRIMARY KEY,
    seq         INTEGER NOT NULL,
    lease_until INTEGER NOT NULL DEFAULT 0,
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    disabled    INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    failures    INTEGER NOT NULL DEFAULT 0,
    retry_at    INTEGER NOT NULL DEFAULT 0,
    error       TEXT,
    moved_at    INTEGER NOT NULL
);

-- Which positions a file holds, decided before its first byte is written: a file that is written again after a crash or for
-- a replay is the same one. began_at: when its first event was stored.
CREATE TABLE sink_ranges (
    sink      TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    began_at  INTEGER NOT NULL,
    PRIMARY KEY (sink, first_seq)
);

-- Records that are passed over, so that one stops nobody: by one sink, or by every reader where sink is empty.
CREATE TABLE set_aside (
    sink         TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    set_aside_at INTEGER NOT NULL,
    PRIMARY KEY (sink, seq)
);
