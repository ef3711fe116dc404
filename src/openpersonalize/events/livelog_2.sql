-- The live log, format 2: the oldest events of a stream lie in segments on the object store.

-- Everything of a stream up to `sealed` is in its segments; rows of it that are still here are out of sight and go
-- little by little.
ALTER TABLE stream ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;

-- salt: of the digests in segments. arrangement: another number whenever segments come or go.
ALTER TABLE head ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
ALTER TABLE head ADD COLUMN arrangement INTEGER NOT NULL DEFAULT 0;
UPDATE head SET salt = randomblob(16);

-- The segments in force: what positions (first to last) of a stream one covers, how often its events were merged,
-- how many rows it has, and the span of the times of its events that count.
CREATE TABLE segment (
    key TEXT PRIMARY KEY,
    stream INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    level INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
);
CREATE INDEX segment_stream ON segment (stream, last);

-- Keys on the object store that no segment has: replaced ones, and those of segments being written. A key is here
-- before it is published, so nothing on the store is ever without an owner.
CREATE TABLE unreferenced (key TEXT PRIMARY KEY, since REAL NOT NULL);

-- Users (anonymous = 0) and sessions (anonymous = 1) whose events are still to be taken out of segments.
CREATE TABLE removal (
    stream INTEGER NOT NULL,
    subject TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    PRIMARY KEY (stream, subject, anonymous)
);
