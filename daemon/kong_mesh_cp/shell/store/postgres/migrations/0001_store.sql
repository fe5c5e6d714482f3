-- Texts that are compared or sorted use the order of code points, as SQLite and Python do.

CREATE TABLE store (
  id               integer NOT NULL PRIMARY KEY CHECK (id = 1),
  cluster_id       text    NOT NULL,
  revision         bigint  NOT NULL,
  trial_started_at timestamptz
);

CREATE TABLE resource (
  type        text COLLATE "C" NOT NULL,
  mesh        text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  version     bigint      NOT NULL,
  spec        text        NOT NULL,
  status      text,
  labels      jsonb       NOT NULL,
  created_at  timestamptz NOT NULL,
  modified_at timestamptz NOT NULL,
  owner_type  text COLLATE "C",
  owner_mesh  text COLLATE "C",
  owner_name  text COLLATE "C",
  PRIMARY KEY (type, mesh, name),
  -- Only makes sure: the program deletes what is owned, because it has to tell each of them.
  FOREIGN KEY (owner_type, owner_mesh, owner_name) REFERENCES resource (type, mesh, name)
    DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX resource_by_owner ON resource (owner_type, owner_mesh, owner_name)
  WHERE owner_type IS NOT NULL;

-- One row for each seat that is taken anywhere. The number is what makes one too many impossible.
CREATE TABLE seat_slot (
  slot       integer     NOT NULL PRIMARY KEY CHECK (slot > 0),
  zone       text        NOT NULL,
  mesh       text        NOT NULL,
  name       text        NOT NULL,
  instance   text        NOT NULL,
  held_until timestamptz NOT NULL,
  UNIQUE (zone, mesh, name)
);

-- What one control plane remembers of itself: its proxies and the clock of its host.
CREATE TABLE seat (
  instance text        NOT NULL,
  zone     text        NOT NULL,
  mesh     text        NOT NULL,
  name     text        NOT NULL,
  kind     text        NOT NULL,
  since    timestamptz NOT NULL,
  PRIMARY KEY (instance, zone, mesh, name)
);

CREATE TABLE clock_mark (
  instance         text             NOT NULL PRIMARY KEY,
  seen             timestamptz      NOT NULL,
  boot_id          text             NOT NULL,
  boottime_seconds double precision NOT NULL,
  ahead_seconds    double precision NOT NULL,
  lead_seconds     double precision NOT NULL
);

CREATE TABLE high_water (
  day   date    NOT NULL PRIMARY KEY,
  seats integer NOT NULL
);

CREATE TABLE audit_log (
  id     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at     timestamptz NOT NULL,
  actor  text        NOT NULL,
  action text        NOT NULL,
  reason text        NOT NULL
);

CREATE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append only'; END $$;

CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();

INSERT INTO store (id, cluster_id, revision) VALUES (1, gen_random_uuid()::text, 0);
