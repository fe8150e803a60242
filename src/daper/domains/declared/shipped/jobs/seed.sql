-- A queue of jobs as Procrastinate keeps one in PostgreSQL, with what this domain reads; for SQLite as well.
CREATE TABLE procrastinate_jobs (id INTEGER PRIMARY KEY, queue_name VARCHAR(128) NOT NULL,
  task_name VARCHAR(128) NOT NULL, priority INTEGER NOT NULL, lock VARCHAR(128), args VARCHAR(2000) NOT NULL,
  status VARCHAR(20) NOT NULL, scheduled_at TIMESTAMP NULL, attempts INTEGER NOT NULL);
CREATE TABLE procrastinate_events (id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, type VARCHAR(30) NOT NULL,
  at TIMESTAMP NULL);
INSERT INTO procrastinate_jobs VALUES
  (1, 'owls', 'send_letter', 0, NULL, '{"to": 3}', 'failed', NULL, 1),
  (2, 'owls', 'send_letter', 0, NULL, '{"to": 4}', 'failed', NULL, 6),
  (3, 'owls', 'send_letter', 0, NULL, '{"to": 5}', 'succeeded', NULL, 1),
  (4, 'library', 'remind_of_books', 0, 'shelf-4', '{}', 'doing', NULL, 0),
  (5, 'trolley', 'order_sweets', 0, NULL, '{}', 'todo', NULL, 0),
  (6, 'owls', 'send_letter', 0, NULL, '{"to": 6}', 'todo', NULL, 0),
  (7, 'library', 'remind_of_books', 0, 'shelf-5', '{}', 'aborted', NULL, 1);
INSERT INTO procrastinate_events VALUES
  (1, 1, 'started', '2025-11-20 10:00:00'), (2, 1, 'failed', '2025-11-20 10:00:05'),
  (3, 2, 'started', '2025-11-20 10:01:00'), (4, 2, 'failed', '2025-11-20 10:01:05'),
  (5, 3, 'started', '2025-11-20 10:02:00'), (6, 3, 'succeeded', '2025-11-20 10:02:05'),
  (7, 4, 'started', '2025-11-20 10:03:00'), (8, 7, 'aborted', '2025-11-20 10:04:00');
