-- Where tenants have their events sent.
CREATE TABLE webhook (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    types TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- Since when and why Callwright sends nothing.
    disabled_ms BIGINT,
    disabled_why TEXT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    -- Raised by each change that the process at work has to know.
    revision BIGINT NOT NULL,
    -- Events up to this one are among the deliveries, or are not wanted.
    place BIGINT NOT NULL,
    -- Since when every attempt failed.
    failing_ms BIGINT,
    -- The process at work, and how often that was another.
    holder TEXT,
    claim BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE webhook_secret (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT PRIMARY KEY NOT NULL,
    webhook TEXT NOT NULL,
    key_number BIGINT NOT NULL,
    sealed TEXT NOT NULL,
    made_ms BIGINT NOT NULL,
    -- Until when it signs; none for the newest.
    until_ms BIGINT
);
CREATE INDEX webhook_secret_webhook ON webhook_secret (webhook);
CREATE INDEX webhook_secret_key ON webhook_secret (tenant, key_number);

CREATE TABLE webhook_delivery (
    webhook TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    -- The event's type, or 'gap'.
    type TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    -- What it is about: deliveries about one thing go one after another.
    thing TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'lost')),
    -- The event, until it is delivered.
    body TEXT,
    made_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    tried_ms BIGINT,
    status BIGINT,
    error TEXT,
    latency_ms BIGINT,
    PRIMARY KEY (webhook, sequence, type)
);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook, sequence) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook, made_ms DESC, id DESC);
CREATE INDEX webhook_delivery_over ON webhook_delivery (state, tried_ms);
