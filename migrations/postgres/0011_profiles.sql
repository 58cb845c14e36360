-- Sofia profiles that the operator keeps here, by the name that FreeSWITCH has for them.
CREATE TABLE sip_profile (
    name TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    settings TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE TRIGGER sip_profile_changed AFTER INSERT OR UPDATE OR DELETE ON sip_profile
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();
