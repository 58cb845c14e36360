-- The audit log. It outlives what it names: no references.
CREATE TABLE act (
    id TEXT PRIMARY KEY NOT NULL,
    -- NULL for what is the operator's own.
    tenant TEXT,
    at_ms BIGINT NOT NULL,
    who TEXT NOT NULL,
    api_key TEXT,
    request TEXT,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- JSON, with secrets masked.
    old_value TEXT,
    new_value TEXT
);
CREATE INDEX act_at ON act (tenant, at_ms DESC, id DESC);
CREATE INDEX recording_trace_at ON recording_trace (tenant, at_ms DESC, id DESC);

-- Answers to requests that had an Idempotency-Key, kept for some time. `status` is NULL as long as
-- the first is being answered.
CREATE TABLE answered (
    api_key TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Empty for the operator's.
    tenant TEXT NOT NULL,
    -- What was asked, under a key of ours: it may have held secrets.
    request TEXT NOT NULL,
    status BIGINT,
    headers TEXT,
    body TEXT,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (api_key, name)
);
CREATE INDEX answered_at ON answered (at_ms);
CREATE INDEX answered_tenant ON answered (tenant);
