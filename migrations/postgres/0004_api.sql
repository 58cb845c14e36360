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
CREATE TRIGGER api_key_changed AFTER INSERT OR DELETE ON api_key
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();
