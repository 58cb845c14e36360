-- Tokens for browsers, until they are over. They count by their signature alone; a revoked one no more.
CREATE TABLE token (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT COLLATE "C" NOT NULL,
    -- What it says, without the signature.
    said TEXT NOT NULL,
    minted_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX token_expires ON token (expires_ms);
CREATE INDEX token_live ON token (tenant, minted_ms DESC, id DESC);
CREATE INDEX token_revoked ON token (expires_ms) WHERE revoked_ms IS NOT NULL;
CREATE TRIGGER token_revoked AFTER UPDATE OF revoked_ms ON token
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();
