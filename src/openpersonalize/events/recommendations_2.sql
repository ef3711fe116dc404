-- Issued recommendationIds, format 2: what was shown to a user is found when the user is removed.

CREATE INDEX issued_user ON issued (user) WHERE user IS NOT NULL;
