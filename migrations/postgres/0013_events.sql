-- Calls in the hands of others are looked up without looking at one's own.
CREATE INDEX live_call_holder ON live_call (tenant, holder, started_ms, id);

-- What was told last of a tenant. Whoever tells more holds this row, so that what is told is seen in
-- the order of its numbers, and without gaps.
CREATE TABLE event_counter (
    tenant TEXT PRIMARY KEY NOT NULL,
    last BIGINT NOT NULL,
    -- What was told up to here may be gone.
    pruned BIGINT NOT NULL
);

CREATE TABLE event (
    tenant TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    -- Of what it tells: once told, it is not told again.
    source TEXT NOT NULL,
    call TEXT,
    told_ms BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, sequence),
    UNIQUE (tenant, source)
);
CREATE INDEX event_call ON event (tenant, call);
CREATE INDEX event_told ON event (told_ms);

-- Calls of which the end was not told: what is told of them stays.
CREATE TABLE event_open (
    tenant TEXT NOT NULL,
    call TEXT NOT NULL,
    PRIMARY KEY (tenant, call)
);
