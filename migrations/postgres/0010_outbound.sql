-- Which gateways numbers outside are called by.
CREATE TABLE outbound_route (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT COLLATE "C" NOT NULL,
    -- JSON.
    route TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE TRIGGER outbound_route_changed AFTER INSERT OR UPDATE OR DELETE ON outbound_route
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- What a tenant may call, as JSON.
CREATE TABLE outbound_rules (
    tenant TEXT PRIMARY KEY NOT NULL REFERENCES tenant (id),
    rules TEXT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE TRIGGER outbound_rules_changed AFTER INSERT OR UPDATE OR DELETE ON outbound_rules
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- Tenants that call nobody outside until they are unlocked.
CREATE TABLE outbound_lock (
    tenant TEXT PRIMARY KEY NOT NULL REFERENCES tenant (id),
    at_ms BIGINT NOT NULL,
    why TEXT NOT NULL
);
CREATE TRIGGER outbound_lock_changed AFTER INSERT OR UPDATE OR DELETE ON outbound_lock
FOR EACH STATEMENT EXECUTE FUNCTION callwright_routing_changed();

-- Legs to numbers outside. `leg` is the call's own number for it, `gateway` the tenant's name. One
-- that is not over counts as long as its call is up.
CREATE TABLE outbound_leg (
    tenant TEXT NOT NULL,
    call TEXT COLLATE "C" NOT NULL,
    leg BIGINT NOT NULL,
    gateway TEXT COLLATE "C" NOT NULL,
    emergency BOOLEAN NOT NULL,
    suspicious BOOLEAN NOT NULL,
    began_ms BIGINT NOT NULL,
    answered_ms BIGINT,
    ended_ms BIGINT,
    talked_ms BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, call, leg)
);
CREATE INDEX outbound_leg_began ON outbound_leg (tenant, began_ms);
CREATE INDEX outbound_leg_open ON outbound_leg (tenant) WHERE ended_ms IS NULL;

-- Conversations by the day on which they ended, in the tenant's time zone.
CREATE TABLE outbound_day (
    tenant TEXT NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    talked_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, day)
);

-- How numbers begin that were called, and since when.
CREATE TABLE outbound_seen (
    tenant TEXT NOT NULL,
    prefix TEXT COLLATE "C" NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, prefix)
);
