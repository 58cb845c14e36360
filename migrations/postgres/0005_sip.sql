-- SIP accounts at providers. What a tenant calls it is `name`; FreeSWITCH's name of it is made from
-- the id. The password is sealed by the tenant's key of the number `key_number`; `secret_revision`
-- counts its changes, and NULL in `sealed` is no password.
CREATE TABLE gateway (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    settings TEXT NOT NULL,
    key_number BIGINT NOT NULL DEFAULT 0,
    sealed TEXT,
    secret_revision BIGINT NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name),
    UNIQUE (id)
);
CREATE TRIGGER gateway_changed AFTER INSERT OR UPDATE OR DELETE ON gateway
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- Phones that register at FreeSWITCH.
CREATE TABLE extension (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT COLLATE "C" NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    settings TEXT NOT NULL,
    key_number BIGINT NOT NULL DEFAULT 0,
    sealed TEXT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (id)
);
CREATE TRIGGER extension_changed AFTER INSERT OR UPDATE OR DELETE ON extension
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- Passwords are opened from memory: whoever keeps them there hears of other keys.
CREATE TRIGGER tenant_key_changed AFTER INSERT OR UPDATE OR DELETE ON tenant_key
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- How each FreeSWITCH, by its switch name, stands with a gateway; and how it stood before.
CREATE TABLE gateway_state (
    gateway TEXT COLLATE "C" NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    switch TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL,
    code BIGINT,
    phrase TEXT NOT NULL,
    -- FreeSWITCH's own time, in microseconds.
    at_us BIGINT NOT NULL,
    PRIMARY KEY (gateway, switch)
);
CREATE TABLE gateway_history (
    gateway TEXT COLLATE "C" NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    switch TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    state TEXT NOT NULL,
    code BIGINT,
    phrase TEXT NOT NULL,
    PRIMARY KEY (gateway, switch, at_us)
);
CREATE INDEX gateway_history_at ON gateway_history (gateway, at_us DESC);

-- Which process changes a FreeSWITCH's gateways, so that no two do it at the same moment.
CREATE TABLE gateway_turn (
    switch TEXT PRIMARY KEY NOT NULL,
    instance TEXT NOT NULL,
    until_ms BIGINT NOT NULL
);
