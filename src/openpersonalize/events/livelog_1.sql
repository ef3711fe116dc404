-- The live log, format 1. Later formats are files of their own (livelog_2.sql, ...), applied in order.

-- Datasets by ARN. A forgotten stream keeps its number and loses its name, so that its rows are out of
-- sight at once and can be deleted little by little.
CREATE TABLE stream (id INTEGER PRIMARY KEY, arn TEXT UNIQUE);

-- One row. position: the newest given out; none is used again. told: removals up to there are no longer listed.
CREATE TABLE head (position INTEGER NOT NULL, told INTEGER NOT NULL);
INSERT INTO head VALUES (0, 0);

-- subject: the user, or the session when anonymous = 1. mark: 0 counts, 1 eventId seen before, 2 identical.
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    subject TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    session TEXT NOT NULL,
    item TEXT NOT NULL,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    value REAL,
    event_id TEXT,
    recommendation_id TEXT,
    impression TEXT,
    source TEXT,
    properties TEXT,
    written REAL NOT NULL,
    mark INTEGER NOT NULL
);
-- A user's history in its order, and the search for identical events.
CREATE INDEX event_subject ON event (stream, subject, time);
-- A stream in order of arrival (the position follows in every index).
CREATE INDEX event_stream ON event (stream);
CREATE INDEX event_id ON event (stream, event_id) WHERE event_id IS NOT NULL;

CREATE TABLE record (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    id TEXT NOT NULL,
    properties TEXT,
    written REAL NOT NULL
);
CREATE INDEX record_stream ON record (stream);
CREATE INDEX record_id ON record (stream, id);

-- Removals of late, told to every process that keeps something in memory. subject NULL: the whole stream. They
-- name who was removed, so they are dropped after a while.
CREATE TABLE forgotten (position INTEGER PRIMARY KEY, arn TEXT NOT NULL, subject TEXT, time REAL NOT NULL);
