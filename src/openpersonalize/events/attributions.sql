-- Every statement of the metrics of attributions. A line "-- name: what for" starts a statement.

-- attribution: the number of one, and up to which position of the live log it has counted
SELECT id, position FROM attribution WHERE name = ?

-- add_attribution: name one
INSERT INTO attribution (name, position) VALUES (?, ?)

-- names: of all
SELECT name FROM attribution

-- counted: up to a position
UPDATE attribution SET position = ? WHERE id = ?

-- is_done: whether an import has been counted
SELECT 1 FROM counted_import WHERE attribution = ? AND job = ?

-- add_import: it has been
INSERT INTO counted_import (attribution, job) VALUES (?, ?)

-- sources: of which something was counted
SELECT DISTINCT source FROM total WHERE attribution = ?

-- add_point: to what a quarter of an hour has
INSERT INTO point (attribution, metric, source, quarter, value) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (attribution, metric, source, quarter) DO UPDATE SET value = value + excluded.value

-- add_total: to what has been counted ever
INSERT INTO total (attribution, metric, source, value) VALUES (?, ?, ?, ?)
ON CONFLICT (attribution, metric, source) DO UPDATE SET value = value + excluded.value

-- expire: quarters of an hour before a time
DELETE FROM point WHERE attribution = ? AND quarter < ?

-- points: of one attribution, the newest first
SELECT p.metric, p.source, p.quarter, p.value FROM point AS p JOIN attribution AS a ON a.id = p.attribution
WHERE a.name = ? ORDER BY p.quarter DESC, p.metric, p.source

-- totals: the first so many of all
SELECT a.name, t.metric, t.source, t.value FROM total AS t JOIN attribution AS a ON a.id = t.attribution
ORDER BY a.id, t.metric, t.source LIMIT ?

-- forget_points: of one attribution
DELETE FROM point WHERE attribution = ?

-- forget_totals: of one attribution
DELETE FROM total WHERE attribution = ?

-- forget_imports: of one attribution
DELETE FROM counted_import WHERE attribution = ?

-- forget_attribution: its name
DELETE FROM attribution WHERE id = ?
