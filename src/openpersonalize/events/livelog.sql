-- Every statement of the live log. A line "-- name: what for" starts a statement.

-- position: the newest position given out
SELECT position FROM head

-- advance: give positions out; the newest of them, and the arrangement of segments
UPDATE head SET position = position + ? RETURNING position, arrangement

-- stream: the number of one stream
SELECT id FROM stream WHERE arn = ?

-- place: the number of one stream, and up to where it is sealed
SELECT id, sealed FROM stream WHERE arn = ?

-- streams: their numbers, and up to where they are sealed
SELECT id, sealed FROM stream WHERE arn IS NOT NULL

-- sealed: the furthest place up to which anything is sealed
SELECT coalesce(max(sealed), 0) FROM stream WHERE arn IS NOT NULL

-- arrangement: another number whenever segments come or go
SELECT arrangement FROM head

-- rearranged: they did
UPDATE head SET arrangement = arrangement + 1

-- salt: of the digests in segments
SELECT salt FROM head

-- segments: of one stream, in order
SELECT key, first, last, level, rows, oldest, newest FROM segment WHERE stream = ? ORDER BY last

-- next_segment: the first of a stream that reaches beyond a position
SELECT key, last FROM segment WHERE stream = ? AND last > ? ORDER BY last LIMIT 1

-- keys_of: the keys of a stream's segments
SELECT g.key FROM stream AS s JOIN segment AS g ON g.stream = s.id WHERE s.arn = ? ORDER BY g.last

-- add_segment: it is in force
INSERT INTO segment (key, stream, first, last, level, rows, oldest, newest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- drop_segment: it is not any more
DELETE FROM segment WHERE key = ?

-- drop_segments: nor are all of a stream
DELETE FROM segment WHERE stream = ?

-- disown: a key that no segment has
INSERT INTO unreferenced (key, since) VALUES (?, ?)

-- disown_stream: nor will those of a stream
INSERT INTO unreferenced (key, since) SELECT key, ? FROM segment WHERE stream = ?

-- own: a segment has the key
DELETE FROM unreferenced WHERE key = ?

-- unreferenced: keys that nobody has had since a time
SELECT key FROM unreferenced WHERE since <= ?

-- seal: a stream up to a position, further than before
UPDATE stream SET sealed = ? WHERE id = ? AND sealed < ? AND arn IS NOT NULL

-- oldest_rows: the position of one of the oldest rows of a stream, counted from 0
SELECT position FROM event WHERE stream = ? AND position > ? ORDER BY position LIMIT 1 OFFSET ?

-- left_rows: whether rows are left that lie in segments
SELECT 1 FROM event WHERE stream = ? AND position <= ? LIMIT 1

-- sealable: rows as they are stored
SELECT position, subject, anonymous, session, item, time, type, value, event_id, recommendation_id, impression, source,
       properties, written, mark
FROM event WHERE stream = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?

-- clear_sealed: some rows of a stream that lie in segments
DELETE FROM event WHERE position IN (SELECT position FROM event WHERE stream = ? AND position <= ? LIMIT ?)

-- add_removal: to be taken out of segments
INSERT OR IGNORE INTO removal (stream, subject, anonymous) VALUES (?, ?, ?)

-- removals: what is to be taken out of segments
SELECT stream, subject, anonymous FROM removal ORDER BY stream

-- end_removal: it has been
DELETE FROM removal WHERE stream = ?

-- add_stream: name a stream
INSERT INTO stream (arn) VALUES (?)

-- drop_stream: take its name away; its rows are out of sight
UPDATE stream SET arn = NULL WHERE arn = ?

-- dropped_streams: streams whose rows may still be there
SELECT id FROM stream WHERE arn IS NULL

-- remove_stream: after the last of its rows
DELETE FROM stream WHERE id = ? AND arn IS NULL

-- clear_events: some rows of a dropped stream
DELETE FROM event WHERE position IN (SELECT position FROM event WHERE stream = ? LIMIT ?)

-- clear_records: some rows of a dropped stream
DELETE FROM record WHERE position IN (SELECT position FROM record WHERE stream = ? LIMIT ?)

-- insert_events: many at once, each marked by what is there already; /*rows*/ stands for the tuples of parameters, of
-- which the last is the mark that the segments give. Tuples without a position fill the statement up
INSERT INTO event (position, stream, subject, anonymous, session, item, time, type, value, event_id,
                   recommendation_id, impression, source, properties, written, mark)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10,
       column11, column12, column13, column14, column15,
       CASE WHEN column16 = 2 OR EXISTS (SELECT 1 FROM event AS e
                         WHERE e.stream = column2 AND e.subject = column3 AND e.time = column7
                           AND e.anonymous = column4 AND e.item = column6 AND e.type = column8
                           AND e.value IS column9 AND e.properties IS column14 AND e.mark = 0) THEN 2
            WHEN column16 = 1 OR column10 IS NOT NULL
                 AND EXISTS (SELECT 1 FROM event AS e WHERE e.stream = column2 AND e.event_id = column10) THEN 1
            ELSE 0 END
FROM (VALUES /*rows*/) WHERE column1 IS NOT NULL

-- insert_records: many at once; /*rows*/ stands for the tuples of parameters, those without a position fill it up
INSERT INTO record (position, stream, id, properties, written)
SELECT column1, column2, column3, column4, column5 FROM (VALUES /*rows*/) WHERE column1 IS NOT NULL

-- thin_records: of the oldest versions of a record (stream, id) up to two that were replaced before a time (?4), none of
-- the newest so many (?3). A few steps down an index, however many versions there are
DELETE FROM record
WHERE position IN (SELECT position
                   FROM (SELECT position, lead(written) OVER (ORDER BY position) AS replaced
                         FROM (SELECT position, written FROM record WHERE stream = ?1 AND id = ?2
                               ORDER BY position LIMIT 3))
                   WHERE replaced < ?4)
  AND position < (SELECT position FROM record WHERE stream = ?1 AND id = ?2
                  ORDER BY position DESC LIMIT 1 OFFSET ?3 - 1)

-- history: one user's events that count and are not sealed, newest first, none later than it came; found by the
-- subject, so the position is hidden from the planner (+)
SELECT e.position, e.item, min(e.time, CAST(e.written AS INTEGER)), e.type, e.value
FROM stream AS s JOIN event AS e ON e.stream = s.id
WHERE s.arn = ? AND e.subject = ? AND e.mark = 0 AND +e.position > s.sealed
ORDER BY e.time DESC, e.position DESC LIMIT ?

-- known: those of some users and sessions of whom there are events that are not sealed
WITH asked(subject) AS (VALUES /*rows*/)
SELECT a.subject FROM asked AS a
WHERE EXISTS (SELECT 1 FROM stream AS s JOIN event AS e ON e.stream = s.id
              WHERE s.arn = ? AND e.subject = a.subject AND +e.position > s.sealed)

-- count_events: whether a step along the tail stays short; counts no further than the limit
SELECT count(*) FROM (SELECT 1 FROM event WHERE position > ? AND position <= ? LIMIT ?)

-- new_events: the tail in order, no event later than it came
SELECT e.position, s.arn, e.subject, e.item, min(e.time, CAST(e.written AS INTEGER)), e.type, e.value, e.mark
FROM event AS e JOIN stream AS s ON s.id = e.stream
WHERE e.position > ? AND e.position <= ? AND s.arn IS NOT NULL
ORDER BY e.position

-- new_records: the newest position in each dataset that records were written to: one step down an index for each
-- stream, however many records came
SELECT arn, newest
FROM (SELECT s.arn AS arn, (SELECT r.position FROM record AS r
                            WHERE r.stream = s.id AND r.position > ?1 AND r.position <= ?2
                            ORDER BY r.position DESC LIMIT 1) AS newest
      FROM stream AS s WHERE s.arn IS NOT NULL)
WHERE newest IS NOT NULL

-- told: removals up to there are no longer listed
SELECT told FROM head

-- new_forgotten: the tail in order, no further than a limit
SELECT position, arn, subject FROM forgotten WHERE position > ? AND position <= ? ORDER BY position LIMIT ?

-- expire_tombstones: removals before a time are old news
UPDATE head SET told = max(told, (SELECT coalesce(max(position), 0) FROM forgotten WHERE time < ?))

-- prune_tombstones: and need not be listed
DELETE FROM forgotten WHERE position <= (SELECT told FROM head)

-- interactions: a chunk of one stream, without identical ones
SELECT position, subject, anonymous, session, item, time, type, value, event_id, recommendation_id, impression, source,
       properties, written, mark
FROM event WHERE stream = ? AND position > ? AND position <= ? AND mark < 2 ORDER BY position LIMIT ?

-- record_versions: a chunk of one stream, every version
SELECT position, id, properties, written
FROM record WHERE stream = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?

-- records: a chunk of one stream, the newest version of each id up to a position
SELECT r.position, r.id, r.properties, r.written
FROM record AS r
WHERE r.stream = ?1 AND r.position > ?2 AND r.position <= ?3
  AND NOT EXISTS (SELECT 1 FROM record AS n
                  WHERE n.stream = ?1 AND n.id = r.id AND n.position > r.position AND n.position <= ?3)
ORDER BY r.position LIMIT ?4

-- sessions_of: sessions in which a user was seen
SELECT DISTINCT session FROM event WHERE stream = ? AND subject = ? AND anonymous = 0

-- count_unsealed: how many rows of a subject will go, those left of sealed ones aside
SELECT count(*) FROM event AS e JOIN stream AS s ON s.id = e.stream
WHERE e.stream = ? AND e.subject = ? AND e.anonymous = ? AND +e.position > s.sealed

-- forget_events: a user's own events (0), or what a session did before it was known whose it is (1)
DELETE FROM event WHERE stream = ? AND subject = ? AND anonymous = ?

-- forget_records: all versions of a record
DELETE FROM record WHERE stream = ? AND id = ?

-- add_tombstone: tell every process
INSERT INTO forgotten (position, arn, subject, time) VALUES (?, ?, ?, ?)
