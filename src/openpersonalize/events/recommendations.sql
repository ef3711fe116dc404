-- Every statement of the log of recommendationIds. A line "-- name: what for" starts a statement.

-- issuer: the number of a campaign or recommender
SELECT id FROM issuer WHERE arn = ?

-- add_issuer: name one
INSERT INTO issuer (arn) VALUES (?)

-- insert: many at once; /*rows*/ stands for the tuples of parameters
INSERT INTO issued (id, issuer, user, items, time) VALUES /*rows*/

-- find: one answer
SELECT i.id, s.arn, i.items, i.user, i.time FROM issued AS i JOIN issuer AS s ON s.id = i.issuer WHERE i.id = ?

-- shown: what many answers showed; /*ids*/ stands for the parameters
SELECT id, items FROM issued WHERE id IN (/*ids*/) AND time >= ?

-- issuers: who gave many answers; /*ids*/ stands for the parameters
SELECT i.id, s.arn FROM issued AS i JOIN issuer AS s ON s.id = i.issuer WHERE i.id IN (/*ids*/) AND i.time >= ?

-- expire: those of the oldest rows that were issued before a time
DELETE FROM issued WHERE position IN (SELECT position FROM issued ORDER BY position LIMIT ?) AND time < ?

-- shorten: the oldest rows
DELETE FROM issued WHERE position IN (SELECT position FROM issued ORDER BY position LIMIT ?)

-- forget: the answers of one issuer among the next rows
DELETE FROM issued WHERE position > ? AND position <= ? AND issuer = ?

-- forget_user: what one issuer showed to a user
DELETE FROM issued WHERE user = ? AND issuer = ?

-- bounds: positions of the first and the last row
SELECT coalesce(min(position), 0), coalesce(max(position), 0) FROM issued

-- forget_issuer: its name
DELETE FROM issuer WHERE id = ?

-- used: bytes of the file that hold something, and how many rows there are
SELECT (p.page_count - f.freelist_count) * s.page_size,
       (SELECT coalesce((SELECT max(position) FROM issued) - (SELECT min(position) FROM issued) + 1, 0))
FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s
