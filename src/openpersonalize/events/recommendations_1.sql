-- Issued recommendationIds, format 1.

-- Campaigns and recommenders by ARN.
CREATE TABLE issuer (id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE);

-- items: a JSON list in the order shown. Positions ascend with time, so the oldest rows are the first ones.
CREATE TABLE issued (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    issuer INTEGER NOT NULL,
    user TEXT,
    items TEXT NOT NULL,
    time REAL NOT NULL
);
CREATE INDEX issued_id ON issued (id);
