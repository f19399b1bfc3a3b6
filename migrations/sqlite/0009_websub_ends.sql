-- The address that the hub was told: it counts for the end of the subscription too, when the configuration may name another
-- or none.
ALTER TABLE subscriptions ADD COLUMN callback TEXT;

-- Subscriptions that hubs are asked to end, kept until their leases are over.
CREATE TABLE subscription_endings (
    token      TEXT PRIMARY KEY,
    topic      TEXT NOT NULL,
    hub        TEXT NOT NULL,
    callback   TEXT NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    act_at     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX subscription_endings_due ON subscription_endings (act_at);

-- Feeds whose bodies were looked at for hubs while WebSub was on: only another body can name another hub.
CREATE TABLE hub_looks (
    feed_id INTEGER PRIMARY KEY REFERENCES feeds (id)
);
