-- Calls that go from one process to another.
ALTER TABLE call_record ADD COLUMN hands BIGINT NOT NULL DEFAULT 0;
-- Closed from what was known, not by the call's machine, whose record replaces it.
ALTER TABLE call_record ADD COLUMN swept BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE call_timeline ADD COLUMN term BIGINT NOT NULL DEFAULT 0;
ALTER TABLE call_timeline DROP CONSTRAINT call_timeline_pkey;
ALTER TABLE call_timeline ADD PRIMARY KEY (tenant, call, term, first);

-- Calls without a record, by what their holder told last.
CREATE TABLE live_call (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    term BIGINT NOT NULL,
    started_ms BIGINT NOT NULL,
    live TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX live_call_started ON live_call (started_ms);
CREATE INDEX live_call_id ON live_call (id);

-- Processes that beat; times are the database's own.
CREATE TABLE instance (
    id TEXT PRIMARY KEY NOT NULL,
    node TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    -- Since when it has beaten without a gap.
    steady_ms BIGINT NOT NULL
);

CREATE VIEW clock AS SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AS now_ms;

CREATE INDEX flow_version_published ON flow_version (published_ms);
