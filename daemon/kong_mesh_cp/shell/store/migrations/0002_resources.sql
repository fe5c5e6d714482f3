-- One row per resource. Not WITHOUT ROWID: counting and skipping rows then walks the key's narrow
-- index and reads no document.
CREATE TABLE resource (
  type        TEXT    NOT NULL,
  mesh        TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  spec        TEXT    NOT NULL,
  status      TEXT,
  labels      TEXT    NOT NULL,
  created_at  TEXT    NOT NULL,
  modified_at TEXT    NOT NULL,
  owner_type  TEXT,
  owner_mesh  TEXT,
  owner_name  TEXT,
  PRIMARY KEY (type, mesh, name),
  -- The program deletes what is owned itself, because it has to tell each of them. This only makes
  -- sure of it, and at the end of the transaction: the order of its statements is free.
  FOREIGN KEY (owner_type, owner_mesh, owner_name) REFERENCES resource (type, mesh, name)
    DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX resource_by_owner ON resource (owner_type, owner_mesh, owner_name)
  WHERE owner_type IS NOT NULL;

CREATE TABLE resource_revision (
  id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  revision INTEGER NOT NULL
);

INSERT INTO resource_revision (id, revision) VALUES (1, 0);
