-- Conference rooms. PINs are in `settings`.
CREATE TABLE room (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE TRIGGER room_added AFTER INSERT ON room
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER room_changed AFTER UPDATE ON room
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER room_removed AFTER DELETE ON room
BEGIN UPDATE routing_change SET counter = counter + 1; END;
