-- Every statement of the live log. A line "-- name: what for" starts a statement.

-- position: the newest position given out
SELECT position FROM head

-- advance: give positions out; the newest of them
UPDATE head SET position = position + ? RETURNING position

-- stream: the number of one stream
SELECT id FROM stream WHERE arn = ?

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

-- insert_events: many at once, each marked by what is there already; /*rows*/ stands for the tuples of parameters
INSERT INTO event (position, stream, subject, anonymous, session, item, time, type, value, event_id,
                   recommendation_id, impression, source, properties, written, mark)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10,
       column11, column12, column13, column14, column15,
       CASE WHEN EXISTS (SELECT 1 FROM event AS e
                         WHERE e.stream = column2 AND e.subject = column3 AND e.time = column7
                           AND e.anonymous = column4 AND e.item = column6 AND e.type = column8
                           AND e.value IS column9 AND e.properties IS column14 AND e.mark = 0) THEN 2
            WHEN column10 IS NOT NULL
                 AND EXISTS (SELECT 1 FROM event AS e WHERE e.stream = column2 AND e.event_id = column10) THEN 1
            ELSE 0 END
FROM (VALUES /*rows*/)

-- insert_records: many at once; /*rows*/ stands for the tuples of parameters
INSERT INTO record (position, stream, id, properties, written) VALUES /*rows*/

-- history: one user's events that count, newest first
SELECT e.position, e.item, e.time, e.type, e.value
FROM stream AS s JOIN event AS e ON e.stream = s.id
WHERE s.arn = ? AND e.subject = ? AND e.mark = 0
ORDER BY e.time DESC, e.position DESC LIMIT ?

-- count_events: whether a step along the tail stays short; counts no further than the limit
SELECT count(*) FROM (SELECT 1 FROM event WHERE position > ? AND position <= ? LIMIT ?)

-- new_events: the tail in order
SELECT e.position, s.arn, e.subject, e.item, e.time, e.type, e.value, e.mark
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

-- stop_telling: removals before a time are old news
UPDATE head SET told = max(told, (SELECT coalesce(max(position), 0) FROM forgotten WHERE time < ?))

-- drop_told: and need not be listed
DELETE FROM forgotten WHERE position <= (SELECT told FROM head)

-- interactions: a chunk of one stream
SELECT position, subject, anonymous, session, item, time, type, value, recommendation_id, impression, source,
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

-- forget_events: a user's own events
DELETE FROM event WHERE stream = ? AND subject = ? AND anonymous = 0

-- forget_session: what a session did before it was known whose it is
DELETE FROM event WHERE stream = ? AND subject = ? AND anonymous = 1

-- forget_records: all versions of a record
DELETE FROM record WHERE stream = ? AND id = ?

-- tell_forgotten: tell every process
INSERT INTO forgotten (position, arn, subject, time) VALUES (?, ?, ?, ?)
