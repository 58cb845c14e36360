-- Who works with a tenant's phone system. They log in elsewhere: tokens are minted for them here.
CREATE TABLE person (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    -- Tokens that were minted before it do not count.
    ended_ms BIGINT,
    created_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name),
    UNIQUE (id)
);
CREATE TRIGGER person_added AFTER INSERT ON person
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER person_changed AFTER UPDATE ON person
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER person_removed AFTER DELETE ON person
BEGIN UPDATE routing_change SET counter = counter + 1; END;

-- Opening hours by name.
CREATE TABLE schedule (
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE TRIGGER schedule_added AFTER INSERT ON schedule
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER schedule_changed AFTER UPDATE ON schedule
BEGIN UPDATE routing_change SET counter = counter + 1; END;
CREATE TRIGGER schedule_removed AFTER DELETE ON schedule
BEGIN UPDATE routing_change SET counter = counter + 1; END;

-- What schedules said before: a call that began then goes by it to its end.
CREATE TABLE schedule_before (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, name, since_ms),
    FOREIGN KEY (tenant, name) REFERENCES schedule (tenant, name) ON DELETE CASCADE
);
CREATE INDEX schedule_before_until ON schedule_before (until_ms);
