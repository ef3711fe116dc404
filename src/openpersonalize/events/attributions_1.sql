-- Metrics of attributions, format 1.

-- name: the attribution's ARN and when it was created, so that another of that ARN begins afresh. position: of the live
-- log, up to which its events are counted.
CREATE TABLE attribution (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL);

-- quarter: of an hour, seconds of its beginning.
CREATE TABLE point (
    attribution INTEGER NOT NULL,
    metric TEXT NOT NULL,
    source TEXT NOT NULL,
    quarter INTEGER NOT NULL,
    value REAL NOT NULL
);
CREATE UNIQUE INDEX point_place ON point (attribution, metric, source, quarter);
CREATE INDEX point_quarter ON point (attribution, quarter);

CREATE TABLE total (attribution INTEGER NOT NULL, metric TEXT NOT NULL, source TEXT NOT NULL, value REAL NOT NULL);
CREATE UNIQUE INDEX total_place ON total (attribution, metric, source);

-- Import jobs that are counted.
CREATE TABLE counted_import (attribution INTEGER NOT NULL, job TEXT NOT NULL);
CREATE UNIQUE INDEX import_place ON counted_import (attribution, job);
