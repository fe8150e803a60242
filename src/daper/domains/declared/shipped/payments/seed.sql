-- A small web shop, for PostgreSQL, SQLite and MySQL.
CREATE TABLE customers (id INTEGER PRIMARY KEY, email VARCHAR(200));
CREATE TABLE orders (id VARCHAR(40) PRIMARY KEY, customer_id INTEGER, status VARCHAR(40));
CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id VARCHAR(40), status VARCHAR(40), failure_code VARCHAR(40),
  amount NUMERIC(12, 2), currency VARCHAR(3), attempts INTEGER, failed_at TIMESTAMP NULL, note VARCHAR(400));
INSERT INTO customers VALUES (1, 'luna@hogwarts.example'), (2, 'neville@hogwarts.example');
INSERT INTO orders VALUES ('O-1', 1, 'open'), ('O-2', 1, 'cancelled'), ('O-3', 2, 'open'), ('O-4', 2, 'open');
INSERT INTO payments VALUES
  (7, 'O-1', 'failed', 'timeout', 12.50, 'EUR', 1, '2025-11-20 10:00:00', NULL),
  (8, 'O-2', 'failed', 'card_declined', 3.00, 'EUR', 1, '2025-11-20 10:05:00', NULL),
  (9, 'O-3', 'processing', NULL, 41.00, 'EUR', 1, '2025-11-20 10:10:00', NULL),
  (10, 'O-3', 'paid', NULL, 3.00, 'EUR', 1, NULL, NULL),
  (11, 'O-4', 'failed', 'card_declined', 8.20, 'EUR', 1, '2025-11-20 10:15:00', NULL),
  (12, 'O-4', 'failed', 'processor_down', 99.00, 'EUR', 2, '2025-11-20 10:20:00', NULL),
  (13, 'O-1', 'failed', 'timeout', 5.00, 'EUR', 4, '2025-11-20 10:25:00', NULL);
