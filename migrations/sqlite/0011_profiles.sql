-- Sofia profiles that the operator keeps here, by the name that FreeSWITCH has for them.
CREATE TABLE sip_profile (
    name TEXT PRIMARY KEY NOT NULL,
    settings TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE TRIGGER sip_profile_added AFTER INSERT ON sip_profile
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER sip_profile_changed AFTER UPDATE ON sip_profile
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER sip_profile_removed AFTER DELETE ON sip_profile
BEGIN UPDATE routing_change SET counter = counter + 1; END;
