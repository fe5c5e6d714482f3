-- How many bytes each resource has that its writer chose, and what that comes to: of Dataplanes,
-- and of all others but those that the control plane writes itself.
ALTER TABLE resource ADD COLUMN size INTEGER NOT NULL DEFAULT 0;

UPDATE resource SET size = length(CAST(spec AS BLOB))
  + length(CAST(coalesce(status, '') AS BLOB))
  + (SELECT coalesce(sum(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))), 0)
     -- Labels in a file that was damaged need not be JSON.
     FROM json_each(CASE WHEN json_valid(resource.labels) THEN resource.labels ELSE '{}' END)
     WHERE value IS NOT NULL);

ALTER TABLE resource_revision ADD COLUMN dataplane_items INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource_revision ADD COLUMN dataplane_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource_revision ADD COLUMN other_items     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE resource_revision ADD COLUMN other_bytes     INTEGER NOT NULL DEFAULT 0;

UPDATE resource_revision SET
  dataplane_items = (SELECT count(*) FROM resource WHERE type = 'Dataplane'),
  dataplane_bytes = (SELECT coalesce(sum(size), 0) FROM resource WHERE type = 'Dataplane'),
  other_items = (SELECT count(*) FROM resource WHERE type NOT IN ('Dataplane',
    'AdmissionRegistration', 'AdmissionRun', 'DataplaneInsight', 'MeshInsight', 'ServiceInsight',
    'ZoneEgressInsight', 'ZoneIngressInsight', 'ZoneInsight')),
  other_bytes = (SELECT coalesce(sum(size), 0) FROM resource WHERE type NOT IN ('Dataplane',
    'AdmissionRegistration', 'AdmissionRun', 'DataplaneInsight', 'MeshInsight', 'ServiceInsight',
    'ZoneEgressInsight', 'ZoneIngressInsight', 'ZoneInsight'));
