-- The newest changes. A notice tells that there are some and nothing else: anybody who may connect
-- to the database hears it, and may send one of his own.

CREATE TABLE resource_change (
  revision bigint           NOT NULL PRIMARY KEY,
  kind     text             NOT NULL,
  version  bigint           NOT NULL,
  type     text COLLATE "C" NOT NULL,
  mesh     text COLLATE "C" NOT NULL,
  name     text COLLATE "C" NOT NULL
);

-- One row for each thing that one control plane does at a time: it holds the row's lock meanwhile.
-- Only who may use this schema can hold it, too; an advisory lock is anybody's.

CREATE TABLE turn (
  what text NOT NULL PRIMARY KEY
);

INSERT INTO turn (what) VALUES ('claiming');
