CREATE TABLE answers (asked_id TEXT PRIMARY KEY NOT NULL, asked TEXT NOT NULL, repair_id TEXT NOT NULL, begun INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "answers" VALUES('repair-harry-k1','a','repair-harry-k1',1);
INSERT INTO "answers" VALUES('repair-harry-k2','b','reports-1',0);
PRAGMA user_version = 1;
