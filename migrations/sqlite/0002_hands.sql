-- Calls that go from one process to another.
ALTER TABLE call_record ADD COLUMN hands BIGINT NOT NULL DEFAULT 0;
-- Closed from what was known, not by the call's machine, whose record replaces it.
ALTER TABLE call_record ADD COLUMN swept BOOLEAN NOT NULL DEFAULT FALSE;

-- A primary key can't be changed here (sqlite.org/lang_altertable.html).
CREATE TABLE call_timeline_by_term (
    tenant TEXT NOT NULL,
    call TEXT NOT NULL,
    term BIGINT NOT NULL DEFAULT 0,
    first BIGINT NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (tenant, call, term, first)
);
INSERT INTO call_timeline_by_term (tenant, call, term, first, entries)
SELECT tenant, call, 0, first, entries FROM call_timeline;
DROP TABLE call_timeline;
ALTER TABLE call_timeline_by_term RENAME TO call_timeline;
CREATE INDEX call_timeline_call ON call_timeline (call);

-- Calls without a record, by what their holder told last.
CREATE TABLE live_call (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    holder TEXT NOT NULL,
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

CREATE VIEW clock AS SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now_ms;

CREATE INDEX flow_version_published ON flow_version (published_ms);
