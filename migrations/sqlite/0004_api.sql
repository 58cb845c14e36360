-- Keys of the HTTP API. Of the secret only its hash is kept: it is random and long.
CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    -- NULL for the operator's.
    tenant TEXT REFERENCES tenant (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    -- Lists in JSON.
    powers TEXT NOT NULL,
    addresses TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    used_ms BIGINT
);
CREATE INDEX api_key_tenant ON api_key (tenant);
CREATE TRIGGER api_key_added AFTER INSERT ON api_key
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER api_key_removed AFTER DELETE ON api_key
BEGIN UPDATE routing_change SET counter = counter + 1; END;
