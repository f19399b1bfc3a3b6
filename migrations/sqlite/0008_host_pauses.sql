-- Hosts that have asked to be left alone (Retry-After with a 429 or 503), and until when.
CREATE TABLE host_pauses (
    host         TEXT PRIMARY KEY,
    paused_until INTEGER NOT NULL
);
