-- How many bytes each resource has that its writer chose, and what that comes to: of Dataplanes,
-- and of all others but those that the control plane writes itself.

ALTER TABLE resource ADD COLUMN size bigint NOT NULL DEFAULT 0;

UPDATE resource SET size = octet_length(spec) + octet_length(coalesce(status, ''))
  + (SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0)
     -- Labels that somebody else has written need not be an object.
     FROM jsonb_each_text(CASE WHEN jsonb_typeof(resource.labels) = 'object'
                               THEN resource.labels ELSE '{}' END));

ALTER TABLE store
  ADD COLUMN dataplane_items bigint NOT NULL DEFAULT 0,
  ADD COLUMN dataplane_bytes bigint NOT NULL DEFAULT 0,
  ADD COLUMN other_items     bigint NOT NULL DEFAULT 0,
  ADD COLUMN other_bytes     bigint NOT NULL DEFAULT 0;

UPDATE store SET
  dataplane_items = (SELECT count(*) FROM resource WHERE type = 'Dataplane'),
  dataplane_bytes = (SELECT coalesce(sum(size), 0) FROM resource WHERE type = 'Dataplane'),
  other_items = (SELECT count(*) FROM resource WHERE type NOT IN ('Dataplane',
    'AdmissionRegistration', 'AdmissionRun', 'DataplaneInsight', 'MeshInsight', 'ServiceInsight',
    'ZoneEgressInsight', 'ZoneIngressInsight', 'ZoneInsight')),
  other_bytes = (SELECT coalesce(sum(size), 0) FROM resource WHERE type NOT IN ('Dataplane',
    'AdmissionRegistration', 'AdmissionRun', 'DataplaneInsight', 'MeshInsight', 'ServiceInsight',
    'ZoneEgressInsight', 'ZoneIngressInsight', 'ZoneInsight'));
