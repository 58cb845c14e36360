-- How numbers are written in the tenant's country: JSON, or NULL where nothing is known.
ALTER TABLE tenant ADD COLUMN numbering TEXT;

-- Callers whose calls a tenant does not want. `kind` is exact, prefix or withheld; `instead` is
-- JSON.
CREATE TABLE blocked_caller (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    instead TEXT NOT NULL,
    note TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, value)
);

CREATE TRIGGER blocked_caller_changed AFTER INSERT OR UPDATE OR DELETE ON blocked_caller
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- How many calls there may be on what: the tenant (with no name), a number or a gateway. The figures
-- are JSON.
CREATE TABLE call_limit (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    limits TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);
CREATE TRIGGER call_limit_changed AFTER INSERT OR UPDATE OR DELETE ON call_limit
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- What limits count. A call that is `pending` waits to be let in.
ALTER TABLE live_call ADD COLUMN number TEXT;
ALTER TABLE live_call ADD COLUMN gateway TEXT;
ALTER TABLE live_call ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;

-- Calls that were let in within the last second, by what is limited.
CREATE TABLE call_start (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    call TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, name, call)
);

-- The rule by which a call was not let in, and the entry of `blocked_caller`.
ALTER TABLE call_record ADD COLUMN turned_away TEXT;
ALTER TABLE call_record ADD COLUMN block TEXT;
CREATE INDEX call_record_turned_away ON call_record (tenant, turned_away, started_ms DESC)
WHERE turned_away IS NOT NULL;
