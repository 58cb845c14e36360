-- Conference rooms. PINs are in `settings`.
CREATE TABLE room (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE TRIGGER room_added AFTER INSERT ON room
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER room_changed AFTER UPDATE ON room
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER room_removed AFTER DELETE ON room
BEGIN UPDATE routing_change SET counter = counter + 1; END;

-- A tenant's rules for conversations, as JSON.
ALTER TABLE tenant ADD COLUMN talk TEXT NOT NULL DEFAULT '{}';

-- Whether conversations of calls to this number are recorded.
ALTER TABLE number ADD COLUMN record BOOLEAN NOT NULL DEFAULT FALSE;

-- Who listened to whom. A session that ended unseen ends with its call.
CREATE TABLE audit (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    call TEXT NOT NULL,
    revision BIGINT NOT NULL,
    began_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    entry TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX audit_began ON audit (tenant, began_ms);
CREATE INDEX audit_call ON audit (tenant, call);

-- Recordings, from their first second on. Times that decide are the database's own.
CREATE TABLE recording (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- NULL where a file was found of which no call told.
    call TEXT,
    kind TEXT NOT NULL,
    room TEXT,
    state TEXT NOT NULL CHECK (state IN ('running', 'pending', 'ready', 'failed', 'absent')),
    why TEXT NOT NULL DEFAULT '',
    -- Where FreeSWITCH writes it.
    path TEXT NOT NULL,
    began_ms BIGINT NOT NULL,
    -- The length as the call told it, and the least to be kept.
    told_ms BIGINT NOT NULL,
    min_ms BIGINT NOT NULL,
    channels BIGINT NOT NULL,
    masked TEXT NOT NULL,
    -- When nothing was written, from its begin on.
    paused TEXT NOT NULL DEFAULT '[]',
    -- What was measured in the file.
    length_ms BIGINT NOT NULL DEFAULT 0,
    rate BIGINT NOT NULL DEFAULT 0,
    silent BOOLEAN NOT NULL DEFAULT FALSE,
    bytes BIGINT NOT NULL DEFAULT 0,
    hash TEXT NOT NULL DEFAULT '',
    -- The encrypted file, made and not yet stored or stored, and the key that opens it, wrapped by
    -- the tenant's key of this number.
    object TEXT,
    stored_bytes BIGINT NOT NULL DEFAULT 0,
    stored_hash TEXT NOT NULL DEFAULT '',
    key_number BIGINT NOT NULL DEFAULT 0,
    wrapped TEXT,
    -- Who takes it in, how often it was claimed, and when it is next to be tried.
    holder TEXT,
    claim BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '',
    due_ms BIGINT NOT NULL,
    hold TEXT,
    delete_after_ms BIGINT,
    deleting BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX recording_began ON recording (tenant, began_ms DESC, id DESC);
CREATE INDEX recording_call ON recording (call);
CREATE INDEX recording_due ON recording (due_ms) WHERE state IN ('running', 'pending');
CREATE INDEX recording_over ON recording (delete_after_ms) WHERE delete_after_ms IS NOT NULL;
CREATE INDEX recording_deleting ON recording (tenant, id) WHERE deleting;

-- Tenants' keys, wrapped by the operator's; NULL once nothing is to be opened with it any more.
CREATE TABLE tenant_key (
    tenant TEXT NOT NULL,
    number BIGINT NOT NULL,
    wrapped TEXT,
    operator_key TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    destroyed_ms BIGINT,
    PRIMARY KEY (tenant, number)
);

-- How long a tenant's recordings are kept.
CREATE TABLE recording_keep (
    tenant TEXT PRIMARY KEY NOT NULL,
    keep_ms BIGINT NOT NULL
);

-- What people did to recordings and keys; it outlives them.
CREATE TABLE recording_trace (
    id TEXT PRIMARY KEY NOT NULL,
    tenant TEXT NOT NULL,
    recording TEXT,
    deed TEXT NOT NULL,
    author TEXT NOT NULL,
    why TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX recording_trace_of ON recording_trace (tenant, recording, deed);

-- Which FreeSWITCH is about to have a room, so that two who come first, each on its own, do not make
-- two rooms of it.
CREATE TABLE room_claim (
    room TEXT PRIMARY KEY NOT NULL,
    core TEXT NOT NULL,
    until_ms BIGINT NOT NULL
);

-- Callers that are parked. A row without `open` is a slot whose caller is on its way; one that was
-- taken is free again if nobody came to speak with the caller within seconds.
CREATE TABLE park_slot (
    tenant TEXT NOT NULL,
    slot BIGINT NOT NULL,
    call TEXT NOT NULL,
    channel TEXT NOT NULL,
    core TEXT,
    party TEXT NOT NULL,
    parker TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    open BOOLEAN NOT NULL DEFAULT FALSE,
    taken_ms BIGINT,
    taken_call TEXT,
    taken_by TEXT,
    PRIMARY KEY (tenant, slot),
    UNIQUE (tenant, call)
);

-- Waiting lines. All times are the database's own. `talk_ms` is how long a conversation takes, the
-- last ones counting most; who changes a line changes its row here first.
CREATE TABLE queue (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    talk_ms BIGINT,
    seen_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Who waits. Who was not heard of for some seconds is gone. `target` is what rings for the caller.
CREATE TABLE queue_call (
    tenant TEXT NOT NULL,
    queue TEXT NOT NULL,
    call TEXT NOT NULL,
    joined_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    target TEXT,
    PRIMARY KEY (tenant, queue, call)
);

-- For whom callers wait. `busy_by` counts until `until_ms`, and in a conversation (`talk_ms`: since
-- when) as long as that call is up. `idle_ms` is the end of the last conversation.
CREATE TABLE queue_target (
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    queue TEXT NOT NULL,
    busy_by TEXT,
    until_ms BIGINT NOT NULL DEFAULT 0,
    talk_ms BIGINT,
    wrap_up_ms BIGINT NOT NULL DEFAULT 0,
    rung_ms BIGINT NOT NULL DEFAULT 0,
    idle_ms BIGINT NOT NULL DEFAULT 0,
    not_before_ms BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, target)
);
CREATE INDEX queue_target_busy ON queue_target (tenant, busy_by) WHERE busy_by IS NOT NULL;
