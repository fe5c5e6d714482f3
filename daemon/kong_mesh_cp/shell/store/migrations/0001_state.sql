-- Instants are ISO 8601 in UTC with six digits of a second: their text sorts as they do.

CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- One row at most, as for the clock: the id is what makes a second one impossible.
CREATE TABLE trial (
  id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  started_at TEXT NOT NULL
);

CREATE TABLE clock_mark (
  id               INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  seen             TEXT NOT NULL,
  boot_id          TEXT NOT NULL,
  boottime_seconds REAL NOT NULL,
  ahead_seconds    REAL NOT NULL,
  lead_seconds     REAL NOT NULL
);

CREATE TABLE seats (
  zone  TEXT NOT NULL,
  mesh  TEXT NOT NULL,
  name  TEXT NOT NULL,
  kind  TEXT NOT NULL,
  since TEXT NOT NULL,
  PRIMARY KEY (zone, mesh, name)
) WITHOUT ROWID;

CREATE TABLE high_water (
  day   TEXT NOT NULL PRIMARY KEY,
  seats INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit_log (
  id     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at     TEXT NOT NULL,
  actor  TEXT NOT NULL,
  action TEXT NOT NULL,
  reason TEXT NOT NULL
);

CREATE TRIGGER audit_log_is_never_changed BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;

CREATE TRIGGER audit_log_is_never_shortened BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
