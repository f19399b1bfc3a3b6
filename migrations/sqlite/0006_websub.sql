-- Subscriptions at WebSub hubs. The token is the last part of the address that the hub calls: whoever knows it is the hub,
-- or was told by it; the secret signs what is delivered.
CREATE TABLE subscriptions (
    feed_id    INTEGER PRIMARY KEY REFERENCES feeds (id),
    topic      TEXT NOT NULL,
    hub        TEXT NOT NULL,
    token      TEXT NOT NULL UNIQUE,
    secret     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('wanted', 'requested', 'active', 'denied')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    act_at     INTEGER NOT NULL,
    expires_at INTEGER
);
CREATE INDEX subscriptions_due ON subscriptions (act_at);
