-- SIP accounts at providers. What a tenant calls it is `name`; FreeSWITCH's name of it is made from
-- the id. The password is sealed by the tenant's key of the number `key_number`; `secret_revision`
-- counts its changes, and NULL in `sealed` is no password.
CREATE TABLE gateway (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    key_number BIGINT NOT NULL DEFAULT 0,
    sealed TEXT,
    secret_revision BIGINT NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name),
    UNIQUE (id)
);
CREATE TRIGGER gateway_added AFTER INSERT ON gateway
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER gateway_changed AFTER UPDATE ON gateway
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER gateway_removed AFTER DELETE ON gateway
BEGIN UPDATE routing_change SET counter = counter + 1; END;

-- Phones that register at FreeSWITCH.
CREATE TABLE extension (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    settings TEXT NOT NULL,
    key_number BIGINT NOT NULL DEFAULT 0,
    sealed TEXT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (id)
);
CREATE TRIGGER extension_added AFTER INSERT ON extension
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER extension_changed AFTER UPDATE ON extension
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER extension_removed AFTER DELETE ON extension
BEGIN UPDATE routing_change SET counter = counter + 1; END;

-- Passwords are opened from memory: whoever keeps them there hears of other keys.
CREATE TRIGGER tenant_key_added AFTER INSERT ON tenant_key
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER tenant_key_changed AFTER UPDATE ON tenant_key
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER tenant_key_removed AFTER DELETE ON tenant_key
BEGIN UPDATE routing_change SET counter = counter + 1; END;

-- How each FreeSWITCH, by its switch name, stands with a gateway; and how it stood before.
CREATE TABLE gateway_state (
    gateway TEXT NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    switch TEXT NOT NULL,
    state TEXT NOT NULL,
    code BIGINT,
    phrase TEXT NOT NULL,
    -- FreeSWITCH's own time, in microseconds.
    at_us BIGINT NOT NULL,
    PRIMARY KEY (gateway, switch)
);
CREATE TABLE gateway_history (
    gateway TEXT NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    switch TEXT NOT NULL,
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
