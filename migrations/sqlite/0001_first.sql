CREATE TABLE tenant (
    id TEXT PRIMARY KEY NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    domain_uuid TEXT UNIQUE,
    timezone TEXT NOT NULL,
    gateways TEXT NOT NULL,
    sip_hosts TEXT NOT NULL,
    contexts TEXT NOT NULL,
    mask_parties BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX tenant_domain ON tenant (domain) WHERE domain <> '';

CREATE TABLE flow (
    id TEXT PRIMARY KEY NOT NULL,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    draft TEXT NOT NULL,
    draft_revision BIGINT NOT NULL,
    draft_author TEXT NOT NULL,
    draft_saved_ms BIGINT NOT NULL,
    -- The version that calls get; 0 before the first.
    version BIGINT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE flow_version (
    flow TEXT NOT NULL REFERENCES flow (id),
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    copy_of BIGINT,
    published_ms BIGINT NOT NULL,
    PRIMARY KEY (flow, version)
);

CREATE TABLE number (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('exact', 'pattern')),
    value TEXT NOT NULL,
    flow TEXT NOT NULL,
    -- "order" is a word of SQL.
    place BIGINT NOT NULL,
    reach TEXT NOT NULL CHECK (reach IN ('everywhere', 'tenant')),
    PRIMARY KEY (tenant, kind, value),
    FOREIGN KEY (tenant, flow) REFERENCES flow (tenant, name)
);
CREATE UNIQUE INDEX number_everywhere ON number (value) WHERE kind = 'exact' AND reach = 'everywhere';

CREATE TABLE prompt (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    length_ms BIGINT,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Records outlive what they name: no references.
CREATE TABLE call_record (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    flow TEXT NOT NULL,
    version BIGINT NOT NULL,
    caller TEXT NOT NULL,
    dialed TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    party TEXT NOT NULL,
    cause TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX call_record_started ON call_record (tenant, started_ms DESC, id DESC);
CREATE INDEX call_record_id ON call_record (id);

-- A stretch of a call's timeline, `first` being the number of its first entry.
CREATE TABLE call_timeline (
    tenant TEXT NOT NULL,
    call TEXT NOT NULL,
    first BIGINT NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (tenant, call, first)
);
CREATE INDEX call_timeline_call ON call_timeline (call);

CREATE TRIGGER flow_version_stays BEFORE UPDATE ON flow_version
BEGIN SELECT RAISE(ABORT, 'a published version never changes'); END;

-- Counts what new calls may notice, whoever wrote it.
CREATE TABLE routing_change (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    counter BIGINT NOT NULL
);
INSERT INTO routing_change (only_row, counter) VALUES (1, 0);

CREATE TRIGGER tenant_added AFTER INSERT ON tenant
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER tenant_changed AFTER UPDATE ON tenant
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER tenant_removed AFTER DELETE ON tenant
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER number_added AFTER INSERT ON number
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER number_changed AFTER UPDATE ON number
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER number_removed AFTER DELETE ON number
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER prompt_added AFTER INSERT ON prompt
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER prompt_changed AFTER UPDATE ON prompt
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER prompt_removed AFTER DELETE ON prompt
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER flow_version_changed AFTER UPDATE OF version ON flow
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER flow_removed AFTER DELETE ON flow
BEGIN UPDATE routing_change SET counter = counter + 1; END;
