CREATE TABLE calls (call_id TEXT PRIMARY KEY NOT NULL, cycle_id TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL, record_ids TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'released')), reserved_input INTEGER NOT NULL, reserved_output INTEGER NOT NULL, reserved_cost TEXT, taken_calls INTEGER, taken_input INTEGER, taken_output INTEGER, taken_cost TEXT, taken_unpriced INTEGER, taken_uncertain INTEGER, at TEXT NOT NULL);
INSERT INTO "calls" VALUES('z','cycle-1','plan','gpt-9','["ORD-1"]','reserved',600,400,'0.1',NULL,NULL,NULL,NULL,NULL,NULL,'2026-03-01T12:00:00.000000+00:00');
INSERT INTO "calls" VALUES('a','cycle-1','plan','gpt-9','["ORD-1"]','settled',600,400,'0.2',1,100,50,'0.0300000000000000000001',0,0,'2026-03-01T12:00:00.000000+00:00');
INSERT INTO "calls" VALUES('m','cycle-1','plan','gpt-9','["ORD-1"]','reserved',600,400,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-03-01T12:00:00.000000+00:00');
CREATE INDEX calls_of_cycle ON calls (cycle_id);
CREATE INDEX calls_by_age ON calls (at);
PRAGMA user_version = 1;
