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
