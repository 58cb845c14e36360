-- Conference rooms. PINs are in `settings`.
CREATE TABLE room (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE TRIGGER room_changed AFTER INSERT OR UPDATE OR DELETE ON room
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- A tenant's rules for conversations, as JSON.
ALTER TABLE tenant ADD COLUMN talk TEXT NOT NULL DEFAULT '{}';

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
